"""Show what one stage changes in the one before it: ``python -m lab.stages.compare nodelay backlog``.

Module docstrings, which describe a stage as a whole, are left out. In a notebook, ``Changes("nodelay", "backlog")`` is
shown as two columns; as text it is a unified diff.
"""

import argparse
import ast
import difflib
from pathlib import Path

STAGES = ("report", "nodelay", "backlog", "framed", "broadcaster")
COLUMN_CHARACTERS = 66
# "table.diff td" outdoes what Jupyter says of tables.
STYLE = """<style>
table.diff td {font: 11px/1.35 monospace; padding: 0 .4em; text-align: left; vertical-align: top}
table.diff th.diff_header {text-align: left} table.diff td.diff_header {color: #767676}
table.diff .diff_next {display: none}
.diff_add {background: #c8f0d0; color: black} .diff_sub {background: #ffd7d5; color: black}
.diff_chg {background: #fff2b3; color: black}
</style>"""


class Changes:
    """The changes from one stage to another, both by name; ``added`` and ``removed`` count lines."""

    def __init__(self, before: str, after: str):
        self._names = f"{before}.py", f"{after}.py"
        self._before, self._after = _code(before), _code(after)
        marks = [line[0] for line in difflib.ndiff(self._before, self._after)]
        self.removed, self.added = marks.count("-"), marks.count("+")

    def __repr__(self) -> str:
        return "\n".join(difflib.unified_diff(self._before, self._after, *self._names, lineterm="", n=1))

    def _repr_html_(self) -> str:
        table = difflib.HtmlDiff(wrapcolumn=COLUMN_CHARACTERS)
        return STYLE + table.make_table(self._before, self._after, *self._names, context=True, numlines=1)


def _code(stage: str) -> list[str]:
    """Return the lines of a stage below its docstring."""
    source = (Path(__file__).parent / f"{stage}.py").read_text(encoding="utf-8")
    return source.splitlines()[ast.parse(source).body[0].end_lineno :]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", choices=STAGES)
    parser.add_argument("after", choices=STAGES)
    options = parser.parse_args(argv)
    print(Changes(options.before, options.after))
    return 0


if __name__ == "__main__":
    main()
