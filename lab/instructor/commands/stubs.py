"""``python3 lab stubs``: the students' sheets, made from the solutions; ``--check`` compares."""

from lab.commands import command_line, refuse
from lab.instructor import stubs
from lab.setup.paths import ROOT


def main(argv: list[str] | None = None) -> int:
    parser = command_line("stubs", "Generate the students' sheets.")
    check = "write nothing; exit with 1 if one is out of date"
    parser.add_argument("--check", action="store_true", help=check)
    options = parser.parse_args(argv)
    try:
        if options.check:
            names = stubs.stale()
            print("\n".join(f"out of date: {name}" for name in names) or "every stub is up to date")
            return 1 if names else 0
        for path, aside in stubs.write().items():
            moved = f"; what was there, and differed, is now {aside.name}" if aside else ""
            print(f"{path.relative_to(ROOT)}{moved}")
        return 0
    except stubs.MarkError as error:
        return refuse("stubs", error)
