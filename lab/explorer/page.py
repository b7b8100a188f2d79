"""One HTML file about one capture or two: the explorer, and the same facts as tables for those without a script.

A page that is opened from a disk cannot import modules, so the modules of ``web/`` are joined into one script, in
the order of their imports. The page's Content-Security-Policy allows this script and this style sheet, by their
SHA-256, and nothing else: no request leaves the page.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from lab.dissect.text import printable
from lab.explorer.data import Data, captures_data, read_source
from lab.explorer.summary import Entry, read_scores, summarise
from lab.exposure.scoring import CLASSES, LABELS, guessed

WEB = Path(__file__).parent / "web"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=class |const |function |async )", re.MULTILINE)


def explorer_page(
    captures: Sequence[tuple[Path, Entry | None]], key_logs: tuple[bytes, ...] = ()
) -> tuple[str, list[Data]]:
    """Return the page as HTML, and the data in it; each capture comes with its entry in a manifest, or None.

    Raises CaptureError or OSError.
    """
    summaries = [summarise(read_source(path), entry) for path, entry in captures]
    data = captures_data([(one["source"], one["label"]) for one in summaries], key_logs)
    scores = read_scores(summaries)
    page = render(
        "page.html",
        title="What an eavesdropper learns from " + " and ".join(path.name for path, _ in captures),
        summaries=summaries,
        scores=[(label, found[place]) for place in range(len(CLASSES)) for label, found in scores.items()],
        names=LABELS,
        guesses=guessed(scores),
        captures=as_json(data),
        style=read_style(),
        script=join_modules("page.js"),
    )
    return page, data


def render(template: str, **values: object) -> str:
    """Return a template of ``web/`` filled in; every value is escaped, and control characters are shown as dots."""
    return environment().get_template(template).render(**values)


@cache
def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    made.filters["shown"] = lambda text: printable(str(text))
    made.filters["sha256"] = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return made


def as_json(data: object) -> str:
    """Return JSON that can stand in a script element: nothing in it ends the element or begins a comment."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")


def read_style() -> str:
    return (WEB / "style.css").read_text(encoding="utf-8")


def join_modules(first: str) -> str:
    """Return a module and all that it imports as one module; the imports and exports between them are taken out."""
    joined: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in joined:
            source = (WEB / name).read_text(encoding="utf-8")
            for needed in IMPORT.findall(source):
                add(needed)
            joined[name] = EXPORT.sub("", IMPORT.sub("", source))

    add(first)
    return "\n".join(joined.values())
