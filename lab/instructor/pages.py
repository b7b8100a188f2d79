"""Write feedback as HTML: a page for each student, and one for the class.

No script, no network; readable on a phone and in dark mode. Everything that comes from a submission is escaped.
"""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lab.instructor.copies import Pair
from lab.instructor.marking import DONE, NOT_ATTEMPTED, PARTLY, WHY, WRONG, Mark, Result
from lab.instructor.outputs import readable
from lab.instructor.roster import Entry

STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 1rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .6rem; border-bottom: 1px
solid var(--line); } td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
p, li, td { overflow-wrap: anywhere; } table.story { border-left: 3px solid var(--line); font-size: .85rem; }
.story th { font-weight: normal; opacity: .7; width: 6rem; } .story th, .story td { border: 0; padding: .1rem .6rem;
vertical-align: top; } .bar { background: var(--line); height: .6rem; } .bar div { background: #2a7de1; height:
100%; } .wide { overflow-x: auto; }
"""
STORY_PART = re.compile(r"  (\S.{9}) (.*)")  # a label of Story.text, and its text
Results = dict[str, Result]  # by student
MARKS = {DONE: "\u2713 done", PARTLY: "\u00bd partly", WRONG: "\u2717 wrong"}


def escape(text: str) -> str:
    return html.escape(readable(text))


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _cell(text: object, kind: str = "text") -> str:
    return f'<td class="{kind}">{escape(str(text))}</td>'


def _table(rows: Iterable[str], heading: str = "") -> str:
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table>{heading}{body}</table></div>'


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>" if items else ""


def student_page(entry: Entry, result: Result) -> str:
    """Return a student's page: marks, and for each wrong task its story, never an answer."""
    points = f"{result.points:g} of {result.of:g} points ({result.percent} %)"
    bar = f'<div class="bar"><div style="width:{result.percent:.0f}%"></div></div>'
    body = [f"<p>{points}: {escape(result.summary())}.</p>{bar}{_list(result.remarks)}"]
    for sheet in dict.fromkeys(mark.sheet for mark in result.marks):
        marks = [mark for mark in result.marks if mark.sheet == sheet]
        rows = [
            _cell(one.task)
            + _cell(MARKS.get(one.state, one.state))
            + _cell(f"{one.points:g} / {one.of:g}", "number")
            for one in marks
        ]
        body += [f"<h2>{escape(sheet)}</h2>{_table(rows)}", *_stories(marks)]
    return _page(f"Packet-capture lab: {entry.name or entry.id}", "\n".join(body))


def _stories(marks: Sequence[Mark]) -> list[str]:
    """Return a heading and a story for each task; tasks with the same story share it."""
    tasks: dict[str, list[str]] = {}
    for mark in marks:
        if mark.story:
            tasks.setdefault(mark.story, []).append(mark.task)
    return [f"<h3>{escape(', '.join(names))}</h3>{_story(story, names)}" for story, names in tasks.items()]


def _story(story: str, names: Sequence[str]) -> str:
    """Return a story's parts as the rows of a table, and other lines as paragraphs."""
    found = []
    for line in story.splitlines():
        if part := STORY_PART.fullmatch(line):
            found.append(f"<tr><th>{escape(part[1].strip())}</th><td>{escape(part[2])}</td></tr>")
        elif line not in names:  # the heading says it
            found.append(f"<p>{escape(line)}</p>")
    text = "\n".join(found)
    return re.sub(r"(?:<tr>.*</tr>\n?)+", lambda rows: f'<table class="story">{rows[0]}</table>', text)


def class_page(roster: Sequence[Entry], results: Results, pairs: Sequence[Pair], notes: Sequence[str]) -> str:
    """Return the instructor's page: how the class did, which tasks fail most and why, shared recordings, notes."""
    shares = sorted(result.points / result.of for result in results.values() if result.of)
    median = f"{shares[len(shares) // 2]:.0%}" if shares else "none"
    body = [f"<p>{len(results)} of {len(roster)} handed in; median {median}.</p>"]
    if notes:
        body.append(f"<h2>Needs a look</h2>{_list(notes)}")
    if pairs:
        body.append("<h2>The same recording</h2>")
        body.append("<p>Recordings that share what no two recordings share. A person judges.</p>")
        body.append(_list([str(pair) for pair in pairs]))
    heading = "<tr><th>task<th>done<th>partly<th>wrong<th>not attempted<th>how it fails</tr>"
    body.append(f"<h2>Tasks, the most failed first</h2>{_table(_task_rows(results), heading)}")
    rows = [_student_row(entry, results.get(entry.id)) for entry in roster]
    body.append(f"<h2>Students</h2>{_table(rows)}")
    return _page("Packet-capture lab: the class", "\n".join(body))


def _task_rows(results: Results) -> Iterator[str]:
    states: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for mark in (mark for result in results.values() for mark in result.marks):
        task = f"{mark.sheet}: {mark.task}"
        states[task][mark.state] += 1
        if mark.state in (WRONG, PARTLY):
            reasons[task][WHY.get(mark.why, "a wrong result")] += 1
    for task, count in sorted(states.items(), key=lambda item: -(item[1][WRONG] + item[1][PARTLY])):
        numbers = [_cell(count[state], "number") for state in (DONE, PARTLY, WRONG, NOT_ATTEMPTED)]
        how = ", ".join(f"{number} {why}" for why, number in reasons[task].most_common(3))
        yield _cell(task) + "".join(numbers) + _cell(how)


def _student_row(entry: Entry, result: Result | None) -> str:
    name = entry.name or entry.id
    if result is None:
        return _cell(name) + _cell("nothing handed in", "number") + _cell("")
    link = f'<td><a href="feedback/{escape(entry.id)}.html">{escape(name)}</a></td>'
    return link + _cell(f"{result.percent} %", "number") + _cell(result.summary())


def write_pages(
    folder: Path, roster: Sequence[Entry], results: Results, pairs: Sequence[Pair], notes: Sequence[str]
) -> Path:
    """Write feedback/ID.html for each student, and class.html; return the path of the latter."""
    (folder / "feedback").mkdir(parents=True, exist_ok=True)
    for entry in roster:
        if result := results.get(entry.id):
            path = folder / "feedback" / f"{entry.id}.html"
            path.write_text(student_page(entry, result), encoding="utf-8")
    path = folder / "class.html"
    path.write_text(class_page(roster, results, pairs, notes), encoding="utf-8")
    return path
