"""The kit's front door: ``python3 lab COMMAND``."""

if not __package__:
    from setup import bootstrap
else:
    from lab.setup import bootstrap  # noqa: F401  the same, started with -m

import importlib
import os
import sys

from lab.setup import first_use
from lab.setup.paths import ROOT

# Commands and what they do. The module of each, found by its name, has ``main(argv) -> exit code``.
STUDENTS = {
    "demo": "record a chat in plaintext and over TLS, and show what an eavesdropper reads",
    "notebooks": "open the notebooks in JupyterLab",
    "check": "check your own exercises: a line a task, a story for each wrong one",
    "submit": "pack what you hand in into one file",
}
INSTRUCTORS = {
    "release": "make the students' copy, without solutions and grader",
    "grade": "grade what was handed in, each in a sandbox of its own",
    "cluster": "a scheduler and workers, to grade and record on many machines",
    "stubs": "make the students' sheets again, after a change to a solution",
    "nbgrader": "write the sheets as nbgrader assignments",
}
EVERYONE = {
    "server": "run the chat server",
    "client": "run the chat client",
    "certs": "make a throw-away authority and a server certificate for TLS",
    "capture": "record chat sessions, with a manifest of what was said",
    "traces": "record what TLS still shows of hundreds of conversations",
    "room": "the report's room on a LAN of its own, recorded: windows, a script, a shell",
    "live": "the lecture: type into three chat windows, and see what is on the cable at that moment",
    "dissect": "what a capture says: flows, handshakes, streams, one frame bit by bit",
    "report": "one self-contained page about a capture, or a plaintext and TLS pair",
    "site": "write the course as a web site, without answers",
    "package": "make the chat client one file to hand out",
    "doctor": "check this machine: one line a fault, each with its fix",
    "test": "run the kit's tests (arguments after it go to pytest)",
}
READERS = {"For students": STUDENTS, "For instructors": INSTRUCTORS, "For everyone": EVERYONE}
if not (ROOT / "lab" / "instructor").is_dir():  # the students' copy
    del READERS["For instructors"]
COMMANDS = {name: summary for commands in READERS.values() for name, summary in commands.items()}
STARTED_BY_PATH = ("server", "client", "capture")  # too, so these are in lab/ itself
WITHOUT_PACKAGES = ("server", "client", "package", "doctor")


def usage() -> str:
    """Return what ``python3 lab`` alone prints: the commands by reader."""
    lines = ["usage: python3 lab COMMAND [options]      (COMMAND --help says more)"]
    for reader, commands in READERS.items():
        lines += ["", f"{reader}:", *(f"  {name:<10} {summary}" for name, summary in commands.items())]
    lines += ["", "  --no-system, before COMMAND: as root, do not install system packages on first use"]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    system = argv[:1] != ["--no-system"]
    if not system:
        argv = argv[1:]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv[0] not in COMMANDS:
        print(f"lab: unknown command {argv[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    return _run(argv[0], argv[1:], system)


def _run(command: str, argv: list[str], system: bool) -> int:
    """Set up if need be, then run. Ctrl-C ends with 130 and without a traceback."""
    try:
        if command not in WITHOUT_PACKAGES and not _help_without_set_up(command, argv):
            first_use.ensure(system)
        return _call(command, argv)
    except first_use.SetupError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\nlab: interrupted", file=sys.stderr)
        return 130


def _call(command: str, argv: list[str]) -> int:
    """Import the command's module, and call its ``main``."""
    room = "lab.instructor.commands" if command in INSTRUCTORS else "lab.commands"
    module = importlib.import_module(f"{'lab' if command in STARTED_BY_PATH else room}.{command}")
    return int(module.main(argv))


def _help_without_set_up(command: str, argv: list[str]) -> bool:
    """Return whether only help is wanted, and can be printed before anything is installed."""
    if not {"-h", "--help"} & set(argv):
        return False
    try:
        _call(command, argv)
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
