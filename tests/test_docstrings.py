"""Render the docstrings of lab/ as ``help()`` shows them, and look for damage.

A line wrapper shreds tables and diagrams: it joins their rows, or breaks one in two and leaves its end at the margin. The
columns of an intact table are two or more spaces apart, and a continued cell begins under a column. A diagram's borders
end where its widest line ends. Modules and public classes must also begin with one sentence in one line, and no docstring
may name a parameter in CAPITALS.
"""

import ast
import inspect
import pydoc
import re

import pytest

from tests.support import ROOT

WIDTH = 110
GAP = re.compile(r"(?<=[^\s.|]) {2,}(?=\S)")  # between two columns
BOXES = "│┌┐└┘├┤┬┴┼"
CAPITALS = re.compile(r"\b[A-Z][A-Z0-9_]*[A-Z][A-Z0-9_]*\b")
ACRONYMS = {"ACK", "FIN", "ID", "IP", "JSON", "LAN", "MAC", "MTU", "PSH", "RST", "SYN", "TCP", "TLS", "UDP"}
MODULES = sorted((ROOT / "lab").rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def blocks(text: str) -> list[list[str]]:
    """Split a text at its empty lines."""
    return [block.splitlines() for block in re.split(r"\n\s*\n", text) if block.strip()]


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def columns(line: str) -> list[int]:
    return [found.end() for found in GAP.finditer(line)]


def is_table(block: list[str]) -> bool:
    """Return whether at least two lines share a column."""
    found = [column for line in block for column in columns(line)]
    return any(found.count(column) >= 2 for column in found)


def damaged_lines(block: list[str]) -> list[str]:
    """Return the lines in which a table or diagram is broken, joined or too wide."""
    if any(character in line for line in block for character in BOXES):
        counts = [sum(line.count(corner) for line in block) for corner in "┌┐└┘"]
        return block if len(set(counts)) > 1 else []
    grid = [line for line in block if re.match(r" *(\|.*\||\+-)", line)]
    if len(grid) >= 2:
        return [] if any(line.endswith("...") for line in grid) else broken_borders(block, grid)
    rows = [line for line in block if columns(line)]
    if is_table(block) and 4 * len(aligned_rows(rows)) >= 3 * len(rows):
        return broken_rows(block)
    if indent(block[0]):
        return (rows if len(rows) >= 2 else []) + orphans(block)
    return (rows if len(block) > 1 and not any(map(indent, block)) else []) + broken_items(block)


def aligned_rows(rows: list[str]) -> list[str]:
    """Return the rows that share a column with another row, or begin where a cell of another begins."""
    found = [column for row in rows for column in columns(row)]
    return [row for row in rows if any(found.count(column) >= 2 for column in columns(row))]


def orphans(block: list[str]) -> list[str]:
    """Return the lines of one or two words that a wrapper has cut off a long line of a diagram."""
    pairs = zip(block, block[1:], strict=False)
    return [
        line
        for before, line in pairs
        if len(before) > WIDTH - 20 and re.fullmatch(r" *[a-z]+( [a-z]+)?", line)
    ]


def broken_items(block: list[str]) -> list[str]:
    """Return the lines of a list with bullets that neither begin an item nor continue one with an indent."""
    if sum(line.startswith("- ") for line in block) < 2 or not block[0].startswith("- "):
        return []
    return [line for line in block if not line.startswith(("- ", " "))]


def broken_borders(block: list[str], grid: list[str]) -> list[str]:
    """Return the lines whose outer borders are out of place. Text to the right of a diagram is no part of it."""
    left, right = min(map(indent, grid)), max(max(line.rfind("|"), line.rfind("+")) for line in grid)
    inside = [line for line in block if line.lstrip()[0] in "|+"]
    return [line for line in inside if (indent(line), max(line.rfind("|"), line.rfind("+"))) != (left, right)]


def broken_rows(block: list[str]) -> list[str]:
    """Return the lines that are neither rows nor continue a cell under its column, and the rows that are too wide."""
    rows = [line for line in block if columns(line)]
    starts = {indent(row) for row in rows} - {column for row in rows for column in columns(row)}
    broken = [line for line in block if line not in rows and indent(line) in starts]
    return [line for line in rows if len(line) > WIDTH] + (broken if len(broken) <= len(rows) else [])


def shouted(text: str, parameters: set[str]) -> list[str]:
    """Return the parameters that the prose names in capitals.

    Acronyms are left out, and what an indented example or ``code`` spells so: a command's usage names a FILE.
    """
    prose = "\n".join("\n".join(block) for block in blocks(text) if not indent(block[0]))
    examples = [line for block in blocks(text) if indent(block[0]) for line in block]
    usage = set(CAPITALS.findall("\n".join([*examples, *re.findall(r"``.*?``", prose, re.DOTALL)])))
    words = CAPITALS.findall(re.sub(r"``.*?``", "", prose, flags=re.DOTALL))
    return [word for word in words if word.lower() in parameters and word not in ACRONYMS | usage]


def faults(text: str, parameters: set[str]) -> list[str]:
    """Return one sentence for each damaged table or diagram and for each parameter in capitals."""
    found = [f"damaged: {line!r}" for block in blocks(text) for line in damaged_lines(block)]
    return found + [f"a parameter in capitals: {word}" for word in shouted(text, parameters)]


def faults_of_the_first_line(text: str) -> list[str]:
    """Return one sentence if the first line is not a whole sentence that fits."""
    first = text.splitlines()[0] if text else ""
    if first.strip() and len(first) <= WIDTH and first.rstrip('`)"').endswith((".", "!", "?", ":")):
        return []
    return [f"the first line is not one sentence in one line: {first!r}"]


def parameters_of(node: ast.AST) -> set[str]:
    """Return the names of the parameters of all functions below, and of the fields of all classes."""
    functions = [inner.args for inner in ast.walk(node) if isinstance(inner, FUNCTIONS)]
    fields = [inner.target for inner in ast.walk(node) if isinstance(inner, ast.AnnAssign)]
    names = {one.arg for args in functions for one in [*args.posonlyargs, *args.args, *args.kwonlyargs]}
    return names | {field.id for field in fields if isinstance(field, ast.Name)}


def rendered(node: ast.AST) -> str:
    """Return the docstring as ``help()`` shows it, without overstriking."""
    return pydoc.plain(inspect.cleandoc(ast.get_docstring(node, clean=False))).rstrip()


def documented(tree: ast.Module) -> list[ast.AST]:
    """Return the module and its public classes, functions and methods that have a docstring."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS))]
    return [
        node for node in nodes if ast.get_docstring(node) and not getattr(node, "name", "").startswith("_")
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_its_docstrings_are_whole(path):
    found = []
    for node in documented(ast.parse(path.read_text(encoding="utf-8"))):
        text = rendered(node)
        wrong = faults(text, parameters_of(node))
        if not isinstance(node, FUNCTIONS):
            wrong += faults_of_the_first_line(text)
        found += [f"{getattr(node, 'name', 'the module')}: {fault}" for fault in wrong]
    assert not found, "\n".join(found)


def cut_off(tree: ast.Module) -> list[str]:
    """Return the lines with a string that nothing uses: most likely the end of the one before."""
    docstrings = {
        id(node.body[0])
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and node.body
    }
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and id(node) not in docstrings]
    return [
        f"line {node.lineno}: {ast.unparse(node):.60}"
        for node in strings
        if isinstance(node.value, ast.JoinedStr)
        or (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
    ]


def test_no_string_has_lost_its_end():
    for path in [*MODULES, *(ROOT / "tests").rglob("*.py")]:
        assert cut_off(ast.parse(path.read_text(encoding="utf-8"))) == [], path
    planted = 'rule = (\n    "Each message comes once, in "\n)\n"order."\n'
    assert cut_off(ast.parse(planted)) == ["line 4: 'order.'"]


TABLE = """Read a header.

    source        16 bits   the sender's port
    destination   16 bits   the receiver's port, which in a capture of the chat is that of the server
                            unless the frame is an answer
    length        16 bits   header and data
"""
DIAGRAM = """Read a header.

    +-------------------------------+
    |  source port  |  dest. port   |
    +-------------------------------+
    |        sequence number        |
    +-------------------------------+
"""


@pytest.mark.parametrize("whole", [TABLE, DIAGRAM])
def test_a_whole_table_or_diagram_passes(whole):
    assert faults(whole.rstrip(), set()) == []


SHREDDED = {
    "a row's end on a line of its own": TABLE.replace("of the chat is", "of the chat\n    is"),
    "rows joined to running text": "Read a header.\n\nsource        16 bits   the sender's port destination 16 bits\n"
    "the receiver's port length    16 bits header\nand data",
    "a diagram line broken in two": DIAGRAM.replace("  |  dest. port   |", "\n    |  dest. port   |"),
    "a diagram's border out of place": DIAGRAM.replace("sequence number        |", "sequence number      |"),
    "a box without its corner": "Show it.\n\n    ┌────┐\n    │ a  │\n    └────\n",
    "columns that a wrapper has joined": "Judge it.\n\n    again     sent before     fast     because of ACKs\n"
    "    for it spurious   acknowledged  out_of_order    overtaken lost      begins\n    beyond it     the end",
    "the end of a diagram's long line": "Derive.\n\n              |\n    (EC)DHE -> HKDF-Extract = Handshake Secret --+--> "
    "'c hs traffic', 's hs traffic': handshake traffic\n    secrets\n              |\n",
    "an item of a list cut at the margin": "Ask.\n\n- tshark is a process;\n- pyshark runs it in a loop of\na notebook\n  too.",
    "a line too wide": TABLE.replace("the sender's port", "the sender's port " + "x" * 70),
    "a parameter in capitals": "Read SIZE bytes.",
}


@pytest.mark.parametrize("name", SHREDDED)
def test_a_planted_fault_is_found(name):
    assert faults(SHREDDED[name], {"size"})


@pytest.mark.parametrize(
    "text", ["", "\n\nRead.", "Read a header\n\nnow.", "Read a\nheader.", f"Read {'x' * WIDTH}."]
)
def test_a_first_line_that_is_no_whole_sentence_is_found(text):
    assert faults_of_the_first_line(text)
    assert not faults_of_the_first_line("Read a header.")


def test_capitals_that_are_no_parameter_pass():
    assert faults("Send a SYN, and then ``SIZE`` bytes.\n\n    run.py SIZE", {"size"}) == []
