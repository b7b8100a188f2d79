"""Write feedback as HTML: a page for each student, one for the class, and one of similar source code.

No script, no network; readable on a phone and in dark mode. The templates are in ``web/``; everything that comes from a
submission is escaped.
"""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

import jinja2
from markupsafe import Markup

from lab.instructor.copies import Pair
from lab.instructor.marking import (
    DONE,
    MISSING,
    NOT_ATTEMPTED,
    PARTLY,
    VISIBLE_ONLY,
    WHY,
    WRONG,
    Mark,
    Result,
)
from lab.instructor.outputs import readable
from lab.instructor.roster import Entry
from lab.instructor.similarity import SHARE, Place, Similar
from lab.instructor.submissions import Submission

STORY_PART = re.compile(r"  (\S.{9}) (.*)")  # a label of Story.text, and its text
SHARES = {DONE: 1, PARTLY: VISIBLE_ONLY}  # of a task's points, by state; none in any other
STATES = {DONE: "\u2713 done", PARTLY: "\u00bd partly", WRONG: "\u2717 wrong"}
MOST_PAIRS, MOST_PASSAGES, MOST_LINES, LONGEST_LINE = 100, 40, 60, 200  # shown of similar source code
Results = dict[str, Result]  # by student
Lines = list[tuple[str, str]]  # of a story: label and text; other lines have no label


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("web")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else readable(str(value)),
    )


def student_page(entry: Entry, result: Result) -> str:
    """Return a student's page: marks, and for each wrong task its story, never an answer."""
    template = _templates().get_template("student.html")
    return template.render(entry=entry, result=result, states=STATES, stories=_stories)


def _stories(marks: Sequence[Mark]) -> Iterator[tuple[list[str], list[tuple[bool, Lines]]]]:
    """Yield tasks with the same story, and its lines in runs: those with a label, and others."""
    tasks: dict[str, list[str]] = {}
    for mark in marks:
        if mark.story:
            tasks.setdefault(mark.story, []).append(mark.task)
    for story, names in tasks.items():
        lines: Lines = []
        for line in story.splitlines():
            if part := STORY_PART.fullmatch(line):
                lines.append((part[1].strip(), part[2]))
            elif line not in names:  # the heading says it
                lines.append(("", line))
        yield names, [(labelled, list(run)) for labelled, run in groupby(lines, lambda line: bool(line[0]))]


def class_page(
    roster: Sequence[Entry],
    results: Results,
    pairs: Sequence[Pair],
    similar: Sequence[Similar],
    notes: Sequence[str],
) -> str:
    """Return the instructor's page: how the class did, which tasks fail most and why, shared recordings, notes."""
    shares = [result.points / result.of for result in results.values() if result.of]
    median = f"{statistics.median(shares):.0%}" if shares else "none"
    template = _templates().get_template("class.html")
    return template.render(
        roster=roster,
        results=results,
        pairs=pairs,
        similar=similar,
        notes=notes,
        labels={entry.id: entry.label for entry in roster},
        median=median,
        tasks=list(task_rows(results)),
        shares=_distribution(results),
    )


def _distribution(results: Results) -> list[tuple[str, int]]:
    """Return how many have 0 to 9 %, 10 to 19 %, ..., 90 to 100 %."""
    counts = Counter(min(9, int(result.percent // 10)) for result in results.values())
    return [(f"{10 * n} to {10 * n + 9 if n < 9 else 100} %", counts[n]) for n in range(10)]


def item_statistics(results: Results) -> dict[str, tuple[str, str]]:
    """Return each task's difficulty and discrimination, as text.

    Difficulty is the mean share of the task's points (1: everybody has all of them). Discrimination is the correlation of
    that share with the points for all other tasks, before anything is taken off for being late; "n/a" if one of the two
    is the same for everybody.
    """
    shares: dict[str, list[float]] = defaultdict(list)
    rests: dict[str, list[float]] = defaultdict(list)
    for result in results.values():
        own = [SHARES.get(mark.state, 0) for mark in result.marks]
        total = sum(share * mark.of for share, mark in zip(own, result.marks, strict=True))
        for share, mark in zip(own, result.marks, strict=True):
            shares[f"{mark.sheet}: {mark.task}"].append(share)
            rests[f"{mark.sheet}: {mark.task}"].append(round(total - share * mark.of, 6))
    found = {}
    for task, share_of_each in shares.items():
        discrimination = "n/a"
        if min(len(set(share_of_each)), len(set(rests[task]))) > 1:
            correlation = round(statistics.correlation(share_of_each, rests[task]), 2)
            discrimination = f"{correlation or 0:.2f}"  # never -0.00
        found[task] = f"{statistics.mean(share_of_each):.2f}", discrimination
    return found


def task_rows(results: Results) -> Iterator[tuple[str, list[int], tuple[str, str], str]]:
    """Yield each task, its marks in each state, its statistics, and why it failed; the most failed first.

    That is the share that failed of those who tried, without files that could not be read or were another student's.
    """
    numbers = item_statistics(results)
    states: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for mark in (mark for result in results.values() for mark in result.marks):
        task = f"{mark.sheet}: {mark.task}"
        states[task][mark.state] += 1
        if mark.state in (WRONG, PARTLY):
            reasons[task][mark.why] += 1

    def share_failed(task: str) -> float:
        failed = sum(count for why, count in reasons[task].items() if why != "file")
        return failed / max(1, failed + states[task][DONE])

    for task in sorted(states, key=share_failed, reverse=True):
        ways = (f"{WHY.get(why, WHY['result'])}: {number}" for why, number in reasons[task].most_common(3))
        counts = [states[task][state] for state in (DONE, PARTLY, WRONG, NOT_ATTEMPTED, MISSING)]
        yield task, counts, numbers[task], ", ".join(ways)


def write_pages(
    folder: Path,
    roster: Sequence[Entry],
    results: Results,
    pairs: Sequence[Pair],
    similar: Sequence[Similar],
    notes: Sequence[str],
) -> Path:
    """Write feedback/ID.html for each student, and class.html; return the path of the latter."""
    (folder / "feedback").mkdir(parents=True, exist_ok=True)
    for entry in roster:
        path = folder / "feedback" / f"{entry.id}.html"
        if result := results.get(entry.id):
            path.write_text(student_page(entry, result), encoding="utf-8")
        else:  # one of an earlier run
            path.unlink(missing_ok=True)
    path = folder / "class.html"
    path.write_text(class_page(roster, results, pairs, similar, notes), encoding="utf-8")
    return path


def write_similar(
    folder: Path, roster: Sequence[Entry], similar: Sequence[Similar], found: Sequence[Submission]
) -> Path:
    """Write similar.html, where the similar passages of two hand-ins stand side by side; return its path."""
    files = {one.id: one.files for one in found}

    def excerpt(student: str, place: Place) -> str:
        sheet, first, last = place
        lines = files[student][sheet].splitlines()[first - 1 : min(last, first - 1 + MOST_LINES)]
        return "\n".join(line.decode(errors="replace")[:LONGEST_LINE] for line in lines)

    shown = []
    for pair in similar[:MOST_PAIRS]:
        longest = sorted(pair.passages, key=lambda passage: passage[0][1] - passage[0][2])[:MOST_PASSAGES]
        shown.append((pair, sorted(longest)))
    path = folder / "similar.html"
    template = _templates().get_template("similar.html")
    labels = {entry.id: entry.label for entry in roster}
    text = template.render(
        shown=shown, more=len(similar) - len(shown), share=SHARE, labels=labels, excerpt=excerpt
    )
    path.write_text(text, encoding="utf-8")
    return path
