"""The house in figures: its modules, their sizes and arrows, and the way of one chat message.

    python -m tests.house            a table of the rooms, what is over its bound, names used twice, and the account
    python -m tests.house --modules  the same with a row for each module
    python -m tests.house --walk     follow one message from ``ChatClient.say`` to the other client's callback

Lines are counted as ``ruff format`` leaves them, comments and docstrings included. Not counted in the account: the
sheets, which are generated, and what the instructor's folder took over from the tests (solutions, styles, hidden
checks, misconceptions). A module that is a table of data says so in a comment and may be longer than others.
"""

import argparse
import ast
import functools
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import ROOT

MOST_MODULE_LINES, MOST_FUNCTION_LINES, MOST_ROOMS = 300, 50, 14
MOST_CORE_LINES, MOST_CHAT_LINES = 1_000, 2_400
MOST_WALK_FUNCTIONS, MOST_WALK_LINES = 15, 750
ACCOUNT = {
    "with everything that the kit did before the rebuilding": 19_000,
    "what the repairs before it added": 2_244,
    "the measures, recordings and tasks that the course gained": 900,
    "the explorer, its widget and its live view": 1_080,
    "grading on many machines": 230,
    "TLS of today: hybrid groups, retries, padded records, and what a hello says of its client": 700,
    "a sandbox where namespaces are refused": 350,
    "hand-in platforms, late rules and item statistics": 370,
    "similar source code beside shared recordings": 150,
    "attacks: eight of them, forged frames, and what stops them": 1_200,
    "an attack that learns, what cures cost, and bits on the exposure chart": 370,
    "what TLS still tells: typing notices, simulated authors, cures, traces": 400,
}
TABLE_OF_DATA = "# A table of data."
MOVED_IN = tuple(f"instructor/{name}" for name in ("solutions/", "styles/", "hidden/", "misconceptions"))
NOT_COUNTED = (*MOVED_IN, "exercises/sheet_")
CORE = ("lab.chat.server", "lab.chat.client")
OUTSIDE_CORE = ("lab.chat.features", "lab.chat.tls")


@dataclass
class Module:
    """One file: its name, its lines, the modules of the kit that it imports, and its functions' lengths."""

    name: str
    path: Path
    lines: int
    is_table: bool
    imports: set[str] = field(default_factory=set)
    functions: dict[str, int] = field(default_factory=dict)

    @property
    def room(self) -> str:
        return ".".join(self.name.split(".")[:2]) if self.path.parent != ROOT / "lab" else "lab"

    @property
    def is_counted(self) -> bool:
        return not self.path.relative_to(ROOT / "lab").as_posix().startswith(NOT_COUNTED)

    def longest(self) -> tuple[str, int]:
        return max(self.functions.items(), key=lambda item: item[1], default=("", 0))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def imported_names(path: Path) -> frozenset[str]:
    """Return every name that a file imports, wherever in it, in full: ``lab.chat.events.Said``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def kit_modules(names: frozenset[str], known: set[str]) -> set[str]:
    """Cut names down to modules of the kit: ``lab.chat.events.Said`` is ``lab.chat.events``."""
    found = set()
    for name in names:
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name and name != "lab":
            found.add(name)
    return found


def functions_of(tree: ast.AST) -> dict[str, int]:
    """Return the lines of each function and method, decorators not counted."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, kinds):
            found[node.name] = max(found.get(node.name, 0), node.end_lineno - node.lineno + 1)
    return found


@functools.cache
def modules() -> dict[str, Module]:
    """Return all modules of ``lab/`` by name."""
    paths = {module_name(path): path for path in sorted((ROOT / "lab").rglob("*.py"))}
    found = {}
    for name, path in paths.items():
        source = path.read_text(encoding="utf-8")
        module = Module(name, path, len(source.splitlines()), TABLE_OF_DATA in source)
        module.imports = kit_modules(imported_names(path), set(paths)) - {name}
        module.functions = functions_of(ast.parse(source))
        found[name] = module
    return found


def core_of_the_chat() -> list[Module]:
    """Return what a student must read: all of ``lab.chat`` that the server and the client need."""
    needed, found = list(CORE), set()
    while needed:
        name = needed.pop()
        if name.startswith("lab.chat") and not name.startswith(OUTSIDE_CORE) and name not in found:
            found.add(name)
            needed += modules()[name].imports
    return [modules()[name] for name in sorted(found)]


def names_used_twice() -> dict[str, list[str]]:
    """Return public classes and functions that are defined at the top of more than one module."""
    homes = defaultdict(list)
    for module in modules().values():
        if module.is_counted:
            for node in ast.parse(module.path.read_text(encoding="utf-8")).body:
                if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                    homes[node.name].append(module.name)
    return {name: where for name, where in sorted(homes.items()) if len(where) > 1 and name != "main"}


def faults() -> list[str]:
    """Return the modules and functions that are over their bound, a line each."""
    found = []
    for module in modules().values():
        if module.lines > MOST_MODULE_LINES and module.is_counted and not module.is_table:
            found.append(f"{module.name}: {module.lines} lines, more than {MOST_MODULE_LINES}")
        for function, lines in module.functions.items():
            if lines > MOST_FUNCTION_LINES:
                found.append(
                    f"{module.name}: {function}() has {lines} lines, more than {MOST_FUNCTION_LINES}"
                )
    if len(rooms()) > MOST_ROOMS:
        found.append(f"{len(rooms())} rooms, more than {MOST_ROOMS}")
    return found


def rooms() -> list[str]:
    return sorted({module.room for module in modules().values()} - {"lab"})


def in_room(room: str) -> list[Module]:
    return [module for module in modules().values() if module.room == room]


def lines_of(some: list[Module]) -> int:
    return sum(module.lines for module in some)


def print_house(each_module: bool) -> None:
    print(f"{'':<40}{'modules':>8}{'lines':>8}  longest function                 uses")
    for room in ["lab", *rooms()]:
        inside = in_room(room)
        used = Counter(modules()[name].room for module in inside for name in module.imports)
        uses = " ".join(name.removeprefix("lab.") for name in sorted(used) if name not in (room, "lab"))
        print_row(room, str(len(inside)), inside, uses)
        for module in inside if each_module else []:
            print_row(f"    {module.name.removeprefix('lab.')}", "table" if module.is_table else "", [module])
    print("\nNames that two modules define:")
    for name, where in names_used_twice().items():
        print(f"  {name:<28}{' '.join(module.removeprefix('lab.') for module in where)}")
    counted = lines_of([module for module in modules().values() if module.is_counted])
    print(f"\nThe account: {counted:,} lines counted, of {sum(ACCOUNT.values()):,}:")
    for what, lines in ACCOUNT.items():
        print(f"  {lines:>7,}  {what}")
    core, chat = lines_of(core_of_the_chat()), lines_of(in_room("lab.chat"))
    print(f"  lab/chat {chat:,} of {MOST_CHAT_LINES:,}; its core {core:,} of {MOST_CORE_LINES:,}:", end=" ")
    print(", ".join(module.name.removeprefix("lab.chat.") for module in core_of_the_chat()))
    print("\nOver a bound:", *(faults() or ["nothing"]), sep="\n  ")


def print_row(name: str, count: str, some: list[Module], uses: str = "") -> None:
    function, lines = max((module.longest() for module in some), key=lambda item: item[1])
    print(f"{name:<40}{count:>8}{lines_of(some):>8,}  {f'{lines:>3} {function}':<33}{uses}".rstrip())


# --- the way of one message ------------------------------------------------------------------------------------------


class Walk:
    """Records which functions of ``lab/chat`` run, in every thread, from the first call of ``ChatClient.say`` on."""

    folder = str(ROOT / "lab" / "chat")

    def __init__(self) -> None:
        self.steps: dict[
            tuple[str, int], str
        ] = {}  # (file, line): name, in the order of their first appearance
        self.on = False

    def __call__(self, frame, event: str, _) -> None:
        if not self.on or not frame.f_code.co_filename.startswith(self.folder):
            return
        stack = []
        while frame is not None:  # a loop that was entered before takes part too
            stack.append(frame.f_code)
            frame = frame.f_back
        for code in reversed(stack):
            if code.co_filename.startswith(self.folder) and not code.co_name.startswith("<"):
                name = getattr(code, "co_qualname", code.co_name)  # new in Python 3.11
                self.steps.setdefault((code.co_filename, code.co_firstlineno), name)

    @property
    def files(self) -> dict[str, int]:
        return {file: len(Path(file).read_text(encoding="utf-8").splitlines()) for file, _ in self.steps}


def walk() -> Walk:
    """Send one message on the json wire through a real server, and return the functions that it went through."""
    from lab.chat import events
    from lab.chat.client import ChatClient
    from lab.chat.login import Login
    from lab.chat.server import ChatServer

    found = Walk()
    threading.setprofile(found)
    sys.setprofile(found)
    try:
        with ChatServer("127.0.0.1", 0, console=lambda line: None) as server:
            brandon, john = (
                ChatClient(Login(name, "127.0.0.1", server.port, wire="json")).connect()
                for name in ("Brandon", "John")
            )
            for client in (brandon, john):  # both have been announced to both
                while client.events.get(timeout=10) != events.Joined("John"):
                    pass
            found.on = True
            brandon.say("hello")
            while not isinstance(john.events.get(timeout=10), events.Said):
                pass
            found.on = False
            brandon.leave()
            john.leave()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return found


def print_walk() -> None:
    found = walk()
    for number, ((file, _), function) in enumerate(found.steps.items(), 1):
        print(f"{number:>3}  {Path(file).stem:<14}{function}")
    print(f"{len(found.steps)} functions of at most {MOST_WALK_FUNCTIONS}, in files of", end=" ")
    print(f"{sum(found.files.values())} lines of at most {MOST_WALK_LINES}:", end=" ")
    print(", ".join(f"{Path(file).stem} {lines}" for file, lines in found.files.items()))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__.splitlines()[0])
    parser.add_argument("--modules", action="store_true", help="a row for each module")
    parser.add_argument("--walk", action="store_true", help="follow one message through the chat")
    options = parser.parse_args(argv)
    if options.walk:
        print_walk()
    else:
        print_house(options.modules)
    return 0


if __name__ == "__main__":
    sys.exit(main())
