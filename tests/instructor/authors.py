"""A class of independent solutions, and disguised copies of some: made from the solutions and both other styles.

An author chooses an implementation of each task among three, a misconception for some, and writes in habits of their own:
at each place where Python offers two ways, the author's dice choose one. A copy is made as students make them: names,
comments and constants changed, functions in another order, loops rewritten, dead code put in, a helper split off.
"""

import ast
import builtins
import random

from lab.exercises.checks.tasks import module_name
from lab.instructor.misconceptions import MISCONCEPTIONS, planted
from lab.instructor.stubs import SOLUTIONS
from tests.bench.misconceptions import STYLES

SHEETS = sorted(path.name for path in SOLUTIONS.glob("sheet_*.py"))
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
Sheets = dict[str, str]


def authors(count: int) -> dict[str, Sheets]:
    """Return the sheets of ``count`` independent authors, the same ones each time."""
    return {f"s{number:04}": author(dice(number)) for number in range(count)}


def dice(number: int) -> random.Random:
    return random.Random(f"author {number}")


def author(dice: random.Random) -> Sheets:
    planted_in = {}
    for one in dice.sample(MISCONCEPTIONS, dice.randrange(4)):
        planted_in[f"{module_name(one.sheet)}.py"] = planted(one)
    return {name: _sheet(name, planted_in.get(name), dice) for name in SHEETS}


def _sheet(name: str, first: str | None, dice: random.Random) -> str:
    texts = [(folder / name).read_text(encoding="utf-8") for folder in (SOLUTIONS, *STYLES)]
    trees = [ast.parse(text) for text in (first or texts[0], *texts[1:])]
    tasks = [node.name for node in trees[0].body if isinstance(node, DEFINITIONS)]
    chosen = {task: dice.choice(trees) for task in tasks}
    body: list[ast.stmt] = []
    for tree in trees:
        mine = [task for task in tasks if chosen[task] is tree]
        body += [node for node in tree.body if mine and getattr(node, "name", None) not in tasks]
        body += [node for node in tree.body if getattr(node, "name", None) in mine]
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    rest = [node for node in body if node not in imports and not _is_docstring(node)]
    module = ast.Module([*imports, *rest], [])
    return ast.unparse(ast.fix_missing_locations(Habits(dice).visit(module))) + "\n"


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _Rewriter(ast.NodeTransformer):
    """Rewrites lists of statements, from the innermost to the outermost."""

    def __init__(self, dice: random.Random):
        self.dice, self.made = dice, 0

    def new_name(self) -> str:
        self.made += 1
        return f"{type(self).__name__.lower()}_{self.made}"

    def likes(self) -> bool:
        return self.dice.random() < 0.5

    def generic_visit(self, node):
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            if isinstance(block := getattr(node, field, None), list) and block:
                setattr(node, field, self.rewrite(block, node))
        return node

    def rewrite(self, block: list[ast.stmt], parent: ast.AST) -> list[ast.stmt]:
        raise NotImplementedError


class Habits(_Rewriter):
    """Chooses between two ways of writing the same, again at each place."""

    def rewrite(self, block, parent):
        kept = [node for node in block if not _is_docstring(node)]
        return [new for node in kept for new in self._other_way(node)] or [ast.Pass()]

    def _other_way(self, node: ast.stmt) -> list[ast.stmt]:
        if not self.likes():
            return [node]
        match node:
            case ast.Return(value=ast.ListComp(elt, [ast.comprehension(target, iterable, ifs)])):
                name = self.new_name()
                return [*_loop(name, elt, target, iterable, ifs), ast.parse(f"return {name}").body[0]]
            case ast.Assign([ast.Name(name)], ast.ListComp(elt, [ast.comprehension(target, iterable, ifs)])):
                if name not in {one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)}:
                    return _loop(name, elt, target, iterable, ifs)
            case ast.Return(value=ast.Dict(keys, values)) if all(keys):
                name = self.new_name()
                steps = [
                    f"{name}[{ast.unparse(k)}] = {ast.unparse(v)}" for k, v in zip(keys, values, strict=True)
                ]
                return ast.parse("\n".join([f"{name} = {{}}", *steps, f"return {name}"])).body
            case ast.Return(value=ast.IfExp(test, body, orelse)):
                return [ast.If(test, [ast.Return(body)], []), ast.Return(orelse)]
            case ast.Return(value=ast.expr()):
                name = self.new_name()
                return [_assign(name, node.value), ast.Return(ast.Name(name, ast.Load()))]
            case ast.Assign([ast.Name(name)], ast.IfExp(test, body, orelse)):
                return [ast.If(test, [_assign(name, body)], [_assign(name, orelse)])]
            case ast.If(ast.BoolOp(ast.And(), [first, *more]), body, []):
                inner = more[0] if len(more) == 1 else ast.BoolOp(ast.And(), more)
                return [ast.If(first, [ast.If(inner, body, [])], [])]
            case ast.If(test, body, [*orelse]) if orelse:
                return [ast.If(ast.UnaryOp(ast.Not(), test), orelse, body)]
            case ast.For(target, iterable, [ast.If(test, body, [])], []):
                leave = ast.If(ast.UnaryOp(ast.Not(), test), [ast.Continue()], [])
                return [ast.For(target, iterable, [leave, *body], [])]
            case ast.Assign([ast.Tuple(names)], ast.Tuple(values)) if len(names) == len(values):
                read = {one.id for value in values for one in ast.walk(value) if isinstance(one, ast.Name)}
                if not read & {getattr(name, "id", "") for name in names}:
                    return [ast.Assign([name], value) for name, value in zip(names, values, strict=True)]
            case ast.Assign(targets, ast.Call(function, [ast.Call() as inner, *more], [])):
                name = self.new_name()
                call = ast.Call(function, [ast.Name(name, ast.Load()), *more], [])
                return [_assign(name, inner), ast.Assign(targets, call)]
            case ast.Assign(targets, ast.BinOp(left, operator, ast.BinOp() as right)):
                name = self.new_name()
                short = ast.BinOp(left, operator, ast.Name(name, ast.Load()))
                return [_assign(name, right), ast.Assign(targets, short)]
        return [node]


def _assign(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _loop(name, elt, target, iterable, ifs) -> list[ast.stmt]:
    append: ast.stmt = ast.parse(f"{name}.append({ast.unparse(elt)})").body[0]
    for test in reversed(ifs):
        append = ast.If(test, [append], [])
    return [ast.parse(f"{name} = []").body[0], ast.For(target, iterable, [append], [])]


def disguise(sheets: Sheets, dice: random.Random) -> Sheets:
    """Return a copy that looks different."""
    return {name: _disguised(text, dice) for name, text in sheets.items()}


def _disguised(text: str, dice: random.Random) -> str:
    tree = ast.parse(text)
    tree = Rename(tree).visit(Edit(dice).visit(tree))
    first = [node for node in tree.body if not isinstance(node, DEFINITIONS)]
    functions = [node for node in tree.body if isinstance(node, DEFINITIONS)]
    tree.body = [*first, *dice.sample(functions, len(functions))]
    lines = ast.unparse(ast.fix_missing_locations(tree)).splitlines()
    return "".join(
        f"{line}  # step {n}\n" if not n % 3 and '"""' not in line else f"{line}\n"
        for n, line in enumerate(lines)
    )


class Rename(ast.NodeTransformer):
    """Renames all local variables and helpers."""

    def __init__(self, tree: ast.Module):
        stored = {
            one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        }
        arguments = {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}
        self.names = {name: f"my_{name}_x" for name in stored | arguments if not hasattr(builtins, name)}
        for defined in (one.name for one in ast.walk(tree) if isinstance(one, (*DEFINITIONS, ast.alias))):
            self.names.pop(defined, None)
        self.names.pop("self", None)

    def visit_Name(self, node):
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_Nonlocal(self, node):
        node.names = [self.names.get(name, name) for name in node.names]
        return node

    def visit_arg(self, node):
        node.arg = self.names.get(node.arg, node.arg)
        return node


class Edit(_Rewriter):
    """Rewrites loops, names constants, puts dead code in and splits helpers off."""

    def __init__(self, dice: random.Random):
        super().__init__(dice)
        self.constants: dict[str, int] = {}

    def visit_FunctionDef(self, node):
        super().generic_visit(node)
        if not any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in ast.walk(node)):
            node.body.insert(self.dice.randrange(len(node.body)), ast.parse(f"{self.new_name()} = 0").body[0])
        return node

    def visit_Constant(self, node):
        if isinstance(node.value, int) and node.value > 9:
            name = f"NUMBER_{node.value}"
            self.constants[name] = node.value
            return ast.Name(name, ast.Load())
        return node

    def visit_Module(self, node):
        super().generic_visit(node)
        for function in [one for one in node.body if isinstance(one, ast.FunctionDef)]:
            last = function.body[-1]
            if isinstance(last, ast.Return) and last.value and self.likes():
                name = f"finish_{function.name}"
                names = [one for one in ast.walk(last.value) if isinstance(one, ast.Name)]
                own = {one.id for one in names if isinstance(one.ctx, ast.Store)}
                arguments = ", ".join(sorted({one.id for one in names} & _names_of(function) - own))
                node.body.append(
                    ast.parse(f"def {name}({arguments}):\n    return {ast.unparse(last.value)}").body[0]
                )
                function.body[-1] = ast.parse(f"return {name}({arguments})").body[0]
        numbers = [_assign(name, ast.Constant(value)) for name, value in self.constants.items()]
        node.body = [*numbers, *node.body]
        return node

    def rewrite(self, block, parent):
        return [new for node in block for new in self._rewritten(node)]

    def _rewritten(self, node: ast.stmt) -> list[ast.stmt]:
        match node:
            case ast.For(ast.Name() as name, ast.Call(ast.Name("range"), [stop]), body, []):
                counted = f"{name.id} = 0\nwhile {name.id} < {ast.unparse(stop)}:\n    {name.id} += 1"
                start, loop = ast.parse(counted).body
                if not any(isinstance(one, ast.Continue) for part in body for one in ast.walk(part)):
                    loop.body = [*body, *loop.body]
                    return [start, loop]
            case ast.While(ast.Constant(True), body, []):
                return [
                    ast.For(ast.Name("_", ast.Store()), ast.parse("iter(int, 1)").body[0].value, body, [])
                ]
        return [node]


def _names_of(function: ast.FunctionDef) -> set[str]:
    stored = {
        one.id for one in ast.walk(function) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    imported = {one.name for one in ast.walk(function) if isinstance(one, ast.alias)}
    return stored | imported | {one.arg for one in function.args.args}
