"""Write feedback as HTML: a page for each student, and one for the class.

No script, no network; readable on a phone and in dark mode. Everything that comes from a submission is escaped, since a
story may quote what a student's function returned.
"""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from lab.instructor.copies import Pair
from lab.instructor.marking import DONE, NOT_ATTEMPTED, PARTLY, WHY, WRONG, Mark, Result
from lab.instructor.outputs import percent, readable, summary
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
MARKS = {DONE: "\u2713 done", PARTLY: "\u00bd partly", WRONG: "\u2717 wrong"}


def escape(text: str) -> str:
    return html.escape(readable(text))


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _bar(share: float) -> str:
    return f'<div class="bar"><div style="width:{max(0.0, min(1.0, share)):.0%}"></div></div>'


def student_page(entry: Entry, result: Result) -> str:
    """Return a student's page: marks, and for each wrong task its story, never an answer."""
    points = f"{result.points:g} of {result.of:g} points ({percent(result)} %)"
    body = [f"<p>{points}: {escape(summary(result))}.</p>"]
    body.append(_bar(result.points / result.of if result.of else 0))
    if result.remarks:
        body.append(_list(result.remarks))
    for sheet in dict.fromkeys(mark.sheet for mark in result.marks):
        marks = [mark for mark in result.marks if mark.sheet == sheet]
        body.append(f'<h2>{escape(sheet)}</h2><div class="wide"><table>')
        for mark in marks:
            state = MARKS.get(mark.state, mark.state)
            body.append(
                f"<tr><td>{escape(mark.task)}</td><td>{escape(state)}</td>"
                f'<td class="number">{mark.points:g} / {mark.of:g}</td></tr>'
            )
        body.append("</table></div>")
        body += _stories(marks)
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


def class_page(
    roster: Sequence[Entry], results: dict[str, Result], pairs: Sequence[Pair], notes: Sequence[str]
) -> str:
    """Return the instructor's page: how the class did, which tasks fail most and why, shared recordings, notes."""
    shares = sorted(result.points / result.of for result in results.values() if result.of)
    median = f"{shares[len(shares) // 2]:.0%}" if shares else "none"
    body = [f"<p>{len(results)} of {len(roster)} handed in; median {median}.</p>"]
    if notes:
        body.append(f"<h2>Needs a look</h2>{_list(notes)}")
    if pairs:
        body.append(
            "<h2>The same recording</h2><p>Recordings that share what no two recordings share. A person judges.</p>"
        )
        body.append(_list([str(pair) for pair in pairs]))
    body.append(
        '<h2>Tasks, the most failed first</h2><div class="wide"><table>'
        "<tr><th>task<th>done<th>partly<th>wrong<th>not attempted<th>how it fails</tr>"
    )
    body += _task_rows(results)
    body.append('</table></div><h2>Students</h2><div class="wide"><table>')
    body += [_student_row(entry, results.get(entry.id)) for entry in roster]
    body.append("</table></div>")
    return _page("Packet-capture lab: the class", "\n".join(body))


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _task_rows(results: dict[str, Result]) -> list[str]:
    states: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    reasons: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for result in results.values():
        for mark in result.marks:
            states[mark.sheet, mark.task][mark.state] += 1
            if mark.state in (WRONG, PARTLY):
                reasons[mark.sheet, mark.task][WHY.get(mark.why, "a wrong result")] += 1
    rows = []
    for task, count in sorted(states.items(), key=lambda item: -(item[1][WRONG] + item[1][PARTLY])):
        how = ", ".join(f"{number} {why}" for why, number in reasons[task].most_common(3))
        numbers = "".join(
            f'<td class="number">{count[state]}</td>' for state in (DONE, PARTLY, WRONG, NOT_ATTEMPTED)
        )
        rows.append(f"<tr><td>{escape(': '.join(task))}</td>{numbers}<td>{escape(how)}</td></tr>")
    return rows


def _student_row(entry: Entry, result: Result | None) -> str:
    name = escape(entry.name or entry.id)
    if result is None:
        return f'<tr><td>{name}</td><td class="number">nothing handed in</td><td></td></tr>'
    return (
        f'<tr><td><a href="feedback/{escape(entry.id)}.html">{name}</a></td>'
        f'<td class="number">{percent(result)} %</td><td>{escape(summary(result))}</td></tr>'
    )


def write_pages(
    folder: Path,
    roster: Sequence[Entry],
    results: dict[str, Result],
    pairs: Sequence[Pair],
    notes: Sequence[str],
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
