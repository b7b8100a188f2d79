"""Find hand-ins with similar source code, whatever their names, comments, constants and order of functions.

Winnowing (Schleimer, Wilkerson, Aiken: Winnowing, SIGMOD 2003) over syntax trees:

    tokens        a function's tree, depth first. Names (except Python's own) and constants are alike;
                  docstrings, annotations and imports are left out; operands that may be exchanged
                  are sorted; any loop is a loop
    fingerprints  digests of GRAM tokens in a row: the smallest of each WINDOW, without the stub's
    pairs         those who share SHARE of the smaller hand-in's fingerprints. What many have does
                  not count: a class has its idioms, and short tasks have few good solutions

The threshold is for whole hand-ins: one copied sheet of eight makes no pair. The instructor decides. The sources are parsed in
a process with limits (``limited_process``).
"""

import ast
import builtins
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.instructor import limited_process
from lab.instructor.stubs import make_stubs

GRAM, WINDOW = 12, 4
SHARE = 0.65  # of the counted fingerprints of the smaller hand-in
LEAST = 20  # shared fingerprints, so that a hand-in of a few lines makes no pair
LARGEST = 10_000  # fingerprints of a hand-in; all sheets solved have some 900
TYPES = (str, bytes, bytearray, list, dict, set, int)
KNOWN = frozenset(dir(builtins)).union(*map(dir, TYPES))  # names that nobody can change
BLOCKS = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LEFT_OUT = (ast.Import, ast.ImportFrom, ast.Pass, ast.expr_context, ast.arguments)
EXCHANGED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE}  # a < b is read as b > a
ANY_ORDER = (ast.Add, ast.Mult, ast.BitOr, ast.BitAnd, ast.BitXor, ast.Eq, ast.NotEq)

Token = tuple[str, int]  # and its line
Fingerprint = tuple[int, int, int]  # digest, first and last line
Fingerprints = Mapping[str, Sequence[Sequence[int]]]  # of a hand-in, by sheet
Place = tuple[str, int, int]  # sheet, first and last line
Passage = tuple[Place, Place]  # in the first and in the second hand-in


@dataclass(frozen=True)
class Similar:
    """Two hand-ins with similar source code."""

    first: str
    second: str
    shared: int  # fingerprints
    share: float  # of the smaller hand-in's: 0 to 1
    passages: list[Passage]


def examine_apart(folder: Path) -> dict[str, Any]:
    """Return the "fingerprints" of the sheets in ``folder``, by sheet, and "remarks" about those that have none."""
    answer = limited_process.ask(__name__, str(folder.resolve()))
    why = f"not compared with other hand-ins: reading the sheets takes more than {limited_process.BOUNDS}"
    return answer or {"fingerprints": {}, "remarks": [why]}


def examine(folder: str) -> dict[str, Any]:
    """Return what ``examine_apart`` does, in this process."""
    found, remarks = {}, []
    for name, known in GIVEN.items():
        path = Path(folder) / name
        try:
            theirs = fingerprints(path.read_bytes()) if path.exists() else []
            found[name] = [one for one in theirs if one[0] not in known]
        except (SyntaxError, ValueError):
            pass  # its tasks are wrong anyway
        except (RecursionError, MemoryError) as error:
            remarks.append(f"{path.name} was not compared with other hand-ins ({type(error).__name__})")
    if sum(map(len, found.values())) > LARGEST:
        found = {}
        remarks.append("the sheets are too long to be compared with other hand-ins")
    return {"fingerprints": found, "remarks": remarks}


def fingerprints(source: bytes) -> list[Fingerprint]:
    """Return a sheet's fingerprints. Raise what ``ast.parse`` does: SyntaxError, ValueError, RecursionError, MemoryError."""
    found: dict[int, Fingerprint] = {}
    for tokens in _blocks(source):
        grams = list(_grams(tokens))
        for start in range(min(len(grams), max(1, len(grams) - WINDOW + 1))):
            smallest = min(grams[start : start + WINDOW])
            found.setdefault(smallest[0], smallest)
    return list(found.values())


def _given(stub: bytes) -> set[int]:
    """Return the digests of all runs of tokens in a stub."""
    return {digest for tokens in _blocks(stub) for digest, _, _ in _grams(tokens)}


def _grams(tokens: list[Token]) -> Iterator[Fingerprint]:
    for start in range(len(tokens) - GRAM + 1):
        names, lines = zip(*tokens[start : start + GRAM], strict=True)
        digest = hashlib.blake2b(" ".join(names).encode(), digest_size=6).digest()
        yield int.from_bytes(digest, "big"), min(lines), max(lines)


def _blocks(source: bytes) -> Iterator[list[Token]]:
    """Yield the tokens of the module, of each function and of each class, without what is defined inside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, BLOCKS):
            kept = [statement for statement in node.body if not isinstance(statement, LEFT_OUT)]
            yield [token for statement in kept for token in _tokens(statement, 0)]


def _tokens(node: ast.AST, line: int) -> list[Token]:
    """Return a node's token and those of its children. ``line`` is its parent's."""
    line = getattr(node, "lineno", line)
    name = type(node).__name__
    if isinstance(node, BLOCKS):
        return [(name, line)]
    children = [child for child in ast.iter_child_nodes(node) if not isinstance(child, LEFT_OUT)]
    any_order = False
    match node:
        case ast.Expr(ast.Constant()):
            return []
        case ast.For() | ast.While():
            name = "Loop"
        case ast.Name(known) | ast.Attribute(_, known) if known in KNOWN:
            name = known
        case ast.Constant():
            name = "Name"  # a constant may be given one
        case ast.AugAssign(target, operator, value):
            name, children = "Assign", [target, ast.BinOp(target, operator, value)]
        case ast.AnnAssign(target, _, value):
            name, children = "Assign", [target, value] if value else []
        case ast.Compare(left, [operator], [right]) if type(operator) in EXCHANGED:
            children = [right, EXCHANGED[type(operator)](), left]
        case ast.Compare(_, [operator], _) | ast.BinOp(_, operator, _):
            any_order = isinstance(operator, ANY_ORDER)
        case ast.BoolOp():
            any_order = True
    parts = [_tokens(child, line) for child in children]
    if any_order:
        parts.sort(key=lambda part: [name for name, _ in part])
    return [(name, line), *(token for part in parts for token in part)]


def find_similar(students: Mapping[str, Fingerprints]) -> list[Similar]:
    """Return every pair of students whose source code is similar, the most similar first."""
    owners: dict[int, list[str]] = defaultdict(list)
    for student in sorted(students, reverse=True):
        for digest in _places(students[student]):
            owners[digest].append(student)
    most = max(10, len(students) // 4)  # what more have is an idiom of the class
    counted = {digest: who for digest, who in owners.items() if len(who) <= most}
    sizes = Counter(student for who in counted.values() for student in who)
    found = []
    for first in sorted(students):
        here, shared = _places(students[first]), Counter[str]()
        for digest in here.keys() & counted.keys():
            counted[digest].pop()  # this is ``first``: so those who are left come later
            shared.update(counted[digest])
        for second, count in shared.items():
            share = count / min(sizes[first], sizes[second])
            if count >= LEAST and share >= SHARE:
                there = _places(students[second])
                in_both = here.keys() & there.keys() & counted.keys()
                passages = _join([(here[digest], there[digest]) for digest in in_both])
                found.append(Similar(first, second, count, share, passages))
    return sorted(found, key=lambda one: (-one.share, one.first, one.second))


def _places(found: Fingerprints) -> dict[int, Place]:
    return {digest: (sheet, first, last) for sheet, ones in found.items() for digest, first, last in ones}


def _join(passages: list[Passage]) -> list[Passage]:
    """Return the passages in the first hand-in's order, those joined that overlap or touch in both."""
    joined: list[Passage] = []
    for here, there in sorted(passages):
        if joined and _touch(joined[-1][0], here) and _touch(joined[-1][1], there):
            joined[-1] = _span(joined[-1][0], here), _span(joined[-1][1], there)
        else:
            joined.append((here, there))
    return joined


def _touch(one: Place, other: Place) -> bool:
    return one[0] == other[0] and one[1] <= other[2] + 1 and other[1] <= one[2] + 1


def _span(one: Place, other: Place) -> Place:
    return one[0], min(one[1], other[1]), max(one[2], other[2])


# Read when the module is imported, once for all hand-ins: each is examined in a fork.
GIVEN = {name: _given(stub) for name, stub in make_stubs().items()}
