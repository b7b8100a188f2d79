"""The kit's front door: ``python3 lab COMMAND``."""

if not __package__:
    from setup import bootstrap
else:
    from lab.setup import bootstrap  # noqa: F401  the same, started with -m

import importlib
import os
import sys
from dataclasses import dataclass

from lab.setup import first_use
from lab.setup.paths import ROOT


@dataclass(frozen=True)
class Command:
    """One command: its module (with ``main(argv) -> exit code``), what it does, whether it needs the packages."""

    module: str
    summary: str
    needs_packages: bool = True


STUDENTS = {
    "demo": Command(
        "lab.commands.demo", "record a chat in plaintext and over TLS, and show what an eavesdropper reads"
    ),
    "notebooks": Command("lab.commands.notebooks", "open the notebooks in JupyterLab"),
    "check": Command(
        "lab.commands.check", "check your own exercises: a line a task, a story for each wrong one"
    ),
    "submit": Command("lab.commands.submit", "pack what you hand in into one file"),
}
INSTRUCTORS = {
    "release": Command(
        "lab.instructor.commands.release", "make the students' copy, without solutions and grader"
    ),
    "grade": Command(
        "lab.instructor.commands.grade", "grade what was handed in, each in a sandbox of its own"
    ),
    "stubs": Command(
        "lab.instructor.commands.stubs", "make the students' sheets again, after a change to a solution"
    ),
    "nbgrader": Command("lab.instructor.commands.nbgrader", "write the sheets as nbgrader assignments"),
}
EVERYONE = {
    "server": Command("lab.server", "run the chat server", needs_packages=False),
    "client": Command("lab.client", "run the chat client", needs_packages=False),
    "certs": Command("lab.commands.certs", "make a throw-away authority and a server certificate for TLS"),
    "capture": Command("lab.capture", "record chat sessions, with a manifest of what was said"),
    "room": Command(
        "lab.commands.room", "the report's room on a LAN of its own, recorded: windows, a script, a shell"
    ),
    "dissect": Command(
        "lab.commands.dissect", "what a capture says: flows, handshakes, streams, one frame bit by bit"
    ),
    "report": Command(
        "lab.commands.report", "one self-contained page about a capture, or a plaintext and TLS pair"
    ),
    "package": Command(
        "lab.commands.package", "make the chat client one file to hand out", needs_packages=False
    ),
    "doctor": Command(
        "lab.commands.doctor", "check this machine: one line a fault, each with its fix", needs_packages=False
    ),
    "test": Command("lab.commands.test", "run the kit's tests (arguments after it go to pytest)"),
}
READERS = {"For students": STUDENTS, "For instructors": INSTRUCTORS, "For everyone": EVERYONE}
if not (ROOT / "lab" / "instructor").is_dir():  # the students' copy
    del READERS["For instructors"]
COMMANDS = {name: command for commands in READERS.values() for name, command in commands.items()}


def usage() -> str:
    """Return what ``python3 lab`` alone prints: the commands by reader."""
    lines = ["usage: python3 lab COMMAND [options]      (COMMAND --help says more)"]
    for reader, commands in READERS.items():
        lines += [
            "",
            f"{reader}:",
            *(f"  {name:<10} {command.summary}" for name, command in commands.items()),
        ]
    lines += ["", "  --no-system, before COMMAND: as root, do not install system packages on first use"]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    system = "--no-system" not in argv[:1]
    if not system:
        argv = argv[1:]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    command = COMMANDS.get(argv[0])
    if command is None:
        print(f"lab: there is no command {argv[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    return run(command, argv[1:], system)


def run(command: Command, argv: list[str], system: bool = True) -> int:
    """Set up if need be, then run. Ctrl-C ends with 130 and without a traceback."""
    try:
        if command.needs_packages and not _help_without_set_up(command, argv):
            first_use.ensure(system)
        return importlib.import_module(command.module).main(argv)
    except first_use.SetupError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\nlab: interrupted", file=sys.stderr)
        return 130


def _help_without_set_up(command: Command, argv: list[str]) -> bool:
    """Return whether only help is wanted, and can be printed before anything is installed."""
    if not {"-h", "--help"} & set(argv):
        return False
    try:
        importlib.import_module(command.module).main(argv)
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
