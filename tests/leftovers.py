"""What a run has left behind: processes, network namespaces, temporary folders. ``python -m tests.leftovers``.

    python -m tests.leftovers note FILE       before: write down what is there
    python -m tests.leftovers check FILE      after: print what has come since; exit code 1 if that is anything

``--user NAME`` looks at that user's processes and files alone, which tells a run from whatever else a machine does.
Linux only: it reads ``/proc``.
"""

import argparse
import json
import pwd
import sys
import tempfile
import time
from pathlib import Path

GRACE_S = 5  # what has been killed takes a moment to end


def snapshot(user: int | None = None) -> dict[str, str]:
    """What is there now, of one user (a number) or of all: {what it is, its name or command line}."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        if process_is_ours(process, user):
            found |= processes_and_network(process)
    for path in [*Path(tempfile.gettempdir()).iterdir(), *named_namespaces()]:
        try:
            if user in (None, path.lstat().st_uid):
                found[f"file {path}"] = ""
        except OSError:
            continue
    return found


def process_is_ours(process: Path, user: int | None) -> bool:
    try:
        return user in (None, process.stat().st_uid)
    except OSError:  # it has just ended
        return False


def processes_and_network(process: Path) -> dict[str, str]:
    """One process, known by its number and start (numbers are used again), and the network namespace that it is in."""
    try:
        command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        state, *numbers = (process / "stat").read_text().rpartition(")")[2].split()
        if state in "ZX" or not command:  # has ended, or is a thread of the kernel
            return {}
        found = {f"process {process.name}, started at {numbers[18]}": command}
        return found | {f"namespace {(process / 'ns' / 'net').readlink()}": f"of {command}"}
    except OSError:  # it has just ended, or is not ours to look at
        return {}


def named_namespaces() -> list[Path]:
    """Those that ``ip netns`` knows, which outlive every process."""
    folder = Path("/run/netns")
    return list(folder.iterdir()) if folder.is_dir() else []


def since(before: dict[str, str], user: int | None = None, grace_s: float = GRACE_S) -> list[str]:
    """What has come since ``before`` and does not go within ``grace_s`` seconds, one line each."""
    deadline = time.monotonic() + grace_s
    while True:
        new = {what: name for what, name in snapshot(user).items() if what not in before and not own(what)}
        if not new or time.monotonic() > deadline:
            return [f"{what}: {name}" if name else what for what, name in sorted(new.items())]
        time.sleep(0.1)


def own(what: str) -> bool:
    """Whether it is this process itself."""
    return what.startswith(f"process {Path('/proc/self').readlink()},")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.leftovers", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("note", "check"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--user", type=lambda name: pwd.getpwnam(name).pw_uid, help="of this user alone")
    options = parser.parse_args(argv)
    if options.action == "note":
        options.file.write_text(json.dumps(snapshot(options.user)))
        return 0
    left = since(json.loads(options.file.read_text()), options.user)
    for line in left:
        print(f"left behind: {line}", file=sys.stderr)
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
