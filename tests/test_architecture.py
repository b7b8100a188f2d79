"""The house's rules, read off the imports: arrows run downwards only, no circles, no shadowed standard module."""

import ast
import re
import sys

import pytest

from tests import house
from tests.support import ROOT

# A room, and the rooms that it may stand on, besides lab.setup. Front doors (modules right below lab/) may use anything.
READING = {"lab.dissect.files", "lab.dissect.fields.checksums"}  # what writing and forging share with it
MAY_USE = {
    "lab.chat": {"lab.chat"},
    "lab.dissect": {"lab.dissect"},
    "lab.setup": {"lab.setup"},  # which everybody may use
    "lab.net": {"lab.net"},
    "lab.stages": {"lab.stages", "lab.chat.events", "lab.chat.report_wire", "lab.chat.json_wire"},
    "lab.harness": {"lab.harness", "lab.stages", "lab.net", "lab.chat", *READING},
    "lab.exposure": {
        "lab.exposure",
        "lab.dissect",
        "lab.chat.events",
        "lab.chat.report_wire",
        "lab.chat.json_wire",
        "lab.chat.features.cures",  # their names
    },
    "lab.exercises": {"lab.exercises", "lab.dissect", "lab.exposure", "lab.harness"},
    "lab.charts": {"lab.charts", "lab.exposure", "lab.dissect"},
    "lab.explorer": {"lab.explorer", "lab.exposure", "lab.dissect"},
}
LIVE = "lab.explorer.live"  # the explorer's one part that also plays what it shows
MAY_USE[LIVE] = MAY_USE["lab.explorer"] | {"lab.harness", "lab.net", "lab.stages", "lab.chat"}
MAY_DRAW = {"lab.charts"}


MODULES = {name: module.path for name, module in house.modules().items() if ".sheet_" not in name}
OTHERS = MODULES.keys() - {"lab"}  # which all are within
MAY_USE["lab.instructor"] = {name for name in OTHERS if not name.startswith("lab.commands")}
MAY_USE["lab.commands"] = {name for name in OTHERS if not name.startswith("lab.instructor")}
MAY_USE_ITSELF = {"lab.instructor": {"lab.commands"}}  # the parser and the refusals, and no command
imports = house.imported_names


def arrows(name: str) -> set[str]:
    return house.modules()[name].imports


def within(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("room", MAY_USE)
def test_arrows_run_downwards_only(room):
    inside = [name for name in MODULES if within(name, {room}) and (room == LIVE or not within(name, {LIVE}))]
    assert inside or room == "lab.instructor"  # which the students' copy does not have
    wrong = [
        f"{name} uses {used}"
        for name in inside
        for used in arrows(name)
        if not within(used, {"lab.setup"} | MAY_USE[room]) and used not in MAY_USE_ITSELF.get(room, ())
    ]
    assert not wrong


def test_no_circles():
    def visit(name, path):
        assert name not in path, f"a circle: {' -> '.join([*path, name])}"
        if name not in done:
            for used in arrows(name):
                if used not in MODULES[name].parent.parts:  # a package's own __init__
                    visit(used, [*path, name])
            done.add(name)

    done = set()
    for name in MODULES:
        visit(name, [])


def test_no_module_has_the_name_of_a_standard_one():
    """Commands are named as they are typed (``lab test``), and nothing imports them by their bare name."""
    names = {path.stem for path in MODULES.values() if path.parent.name != "commands"}
    assert not names & set(sys.stdlib_module_names) - {"__init__", "__main__"}


def test_only_charts_draws():
    drawing = {
        name for name, path in MODULES.items() if any(used.startswith("matplotlib") for used in imports(path))
    }
    assert drawing and all(within(name, MAY_DRAW) for name in drawing)


def test_charts_set_nothing_for_the_whole_process():
    for name in (name for name in MODULES if within(name, MAY_DRAW)):
        assert not [
            used for used in imports(MODULES[name]) if "pyplot" in used or used.endswith((".rcParams", ".rc"))
        ]


UNPICKLE = {
    "lab.stages.report_client",  # the report's own client does: that is its lesson
    "lab.exercises.checks.runner",  # from the grader alone, to the side that is not trusted
}


def test_network_bytes_are_never_unpickled():
    for name in MODULES.keys() - UNPICKLE:
        path = MODULES[name]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("loads", "load", "Unpickler"):
                assert not (isinstance(node.value, ast.Name) and node.value.id == "pickle"), (
                    f"{name}: {node.lineno}"
                )


def test_the_top_level_has_what_the_layout_allows():
    allowed = {
        "README.md",
        "LICENSE",
        "lab",
        "notebooks",
        "captures",
        "tests",
        "requirements.txt",
        "pyproject.toml",
    }
    made_by_the_readmes_commands = {"my-certs", "report.html", "dist"}
    there = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert there - made_by_the_readmes_commands <= allowed


def test_helpers_have_homes_of_their_own():
    """No test imports from another test's module, and a checkout's root is worked out once."""
    roots = []
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        roots += [path.name] if re.search(r"__file__\)[^\n]*\.parent", text) else []
        used = [name for name in house.imported_names(path) if re.search(r"^tests\.(.*\.)?test_", name)]
        assert not used, f"{path}: {used}"
    assert roots.count("support.py") == 1 and set(roots) <= {"support.py", "conftest.py", "test_json_wire.py"}


def test_tests_use_no_private_name_of_the_kit():
    def is_private(name: str) -> bool:
        return name.startswith("_") and not name.startswith("__")

    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kit = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lab"
            for alias in node.names
        }
        assert not [name for name in kit if is_private(name)], path
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in kit:
                assert not is_private(node.attr), f"{path}: {node.lineno}: {node.attr}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr":
                named = [one.value for one in node.args[:2] if isinstance(one, ast.Constant)]
                assert not [name for name in named if is_private(str(name).rpartition(".")[2])], path
