"""``python3 lab demo``: record a chat twice, dissect it, and show what an eavesdropper reads.

If this machine lets nobody record, it continues with the captures that ship with the kit, and says so.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.chat.events import printable
from lab.commands import command_line, refuse
from lab.setup.paths import ROOT

if TYPE_CHECKING:
    from lab.exposure.scoring import Score

SHIPPED = ROOT / "captures" / "chat"
CHART, PAGE = "exposure.png", "report.html"
SHOWN_BYTES = 16  # of each ciphertext
SHOWN_ROWS = 12  # of each table, unless all are asked for
NUMBERS = ("frame", "µs", "seq", "ack", "bytes")  # columns aligned to the right
MEANINGS = (
    "let us talk: I count from here",
    "yes: I count from here, and have yours",
    "I have yours too: we are connected",
)
WHAT_NEXT = """
What next:
  open {page} in a browser: handshake, ladder, transcript and scores on one page
  open {capture} in Wireshark, display filter: tcp.flags.push == 1 && tcp.len > 0
  python3 lab notebooks           the course, from notebooks/00_start_here.ipynb on
  python3 lab/server.py           and in two more terminals: python3 lab/client.py"""


def main(argv: list[str] | None = None) -> int:
    about = "Record a chat in plaintext and over TLS, and show what an eavesdropper reads."
    parser = command_line("demo", about)
    add, out = parser.add_argument, ROOT / "captures" / "demo"
    add("--out", type=Path, default=out, metavar="DIR", help="folder to write (captures/demo)")
    add("--seed", type=int, default=0, help="which conversation (default: %(default)s)")
    add("--all-rows", action="store_true", help=f"show whole tables, not {SHOWN_ROWS} rows of each")
    add("--quiet", action="store_true", help="print the names of the files only")
    add("--json", action="store_true", help="print the same facts as JSON only")
    options = parser.parse_args(argv)

    from lab.charts import draw_exposure
    from lab.commands import report
    from lab.dissect.files.capture_file import CaptureError
    from lab.harness.manifest import MANIFEST
    from lab.harness.tap import RecordingError

    silent = options.quiet or options.json
    chart, page = options.out / CHART, options.out / PAGE
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for old in (chart, page):  # they describe recordings that are about to change
            old.unlink(missing_ok=True)
        say: Callable[[str], None] = (lambda line: None) if silent else (lambda line: print(line, flush=True))
        folder, manifest, refusal = _recordings(options.out, options.seed, say)
        facts, scores = _facts(folder, manifest)
        draw_exposure(scores).get_figure(root=True).savefig(chart)
        captures = [folder / recording["file"] for recording in manifest["recordings"]]
        report.write_page(captures, page)
    except (RecordingError, CaptureError) as error:
        return refuse("demo", error)
    except OSError as error:
        reason = error.strerror or error
        return refuse("demo", f"cannot write into {options.out}: {reason}; try --out DIR")
    files = [*captures, folder / MANIFEST, chart, page]
    if options.json:
        facts |= {"recorded": refusal is None, "refusal": refusal, "files": [str(file) for file in files]}
        print(json.dumps(facts, indent=1))
        return 0
    if not silent:
        _print_facts(facts, None if options.all_rows else SHOWN_ROWS)
        _print_scores(scores)
    print("\n".join(_short(file) for file in files))
    if not silent:
        print(WHAT_NEXT.format(page=_short(page), capture=_short(captures[0])))
        print(f"\n{conclusion(scores)}")
    return 0


def _recordings(out: Path, seed: int, say: Callable[[str], None]) -> tuple[Path, dict[str, Any], str | None]:
    """Return the folder and manifest of fresh recordings, or of the shipped ones and why nothing was recorded."""
    from lab.harness.manifest import MANIFEST, read_manifest
    from lab.harness.session import record
    from lab.harness.tap import RecordingRefused
    from lab.harness.variant import Variant

    variants = [Variant(), Variant("1.3")]
    say("Recording the same chat twice: in plaintext, and over TLS 1.3.")
    try:
        return out, record(out, variants, seed, say=lambda line: say("  " + line)), None
    except RecordingRefused as error:
        instead = f"continuing with the captures that ship with the kit, in {_short(SHIPPED)}"
        print(f"lab demo: {error}\nlab demo: {instead}", file=sys.stderr)
        manifest = read_manifest(SHIPPED / MANIFEST)
        names = [f"{variant.name}.pcapng" for variant in variants]
        manifest["recordings"] = [entry for entry in manifest["recordings"] if entry["file"] in names]
        return SHIPPED, manifest, str(error)


def _facts(folder: Path, manifest: dict[str, Any]) -> tuple[dict[str, Any], "dict[str, list[Score]]"]:
    """Return all that the demo shows, as plain data; and the scores of each session for the chart."""
    from lab.charts import describe_exposure
    from lab.exposure import eavesdrop, score

    sessions, scores = [], {}
    for recording in manifest["recordings"]:
        intercept = eavesdrop(folder / recording["file"])
        found = scores[recording["label"]] = score(intercept, recording)
        session = {key: recording[key] for key in ("label", "file", "frames", "cipher")}
        session["eavesdropper"] = [
            {
                "frame": item.frame,
                "from": item.who or item.endpoint,
                "kind": item.kind,
                "text": item.text,
                "bytes": len(item.payload),
                "hex": item.payload[:SHOWN_BYTES].hex(" "),
            }
            for item in intercept.messages
        ]
        session["scores"] = {
            one.kind: {"right": one.right, "wrong": one.wrong, "total": one.total, "share": one.share}
            for one in found
        }
        sessions.append(session)
    handshake = _handshake(folder / manifest["recordings"][0]["file"])
    return {"handshake": handshake, "sessions": sessions, "text": describe_exposure(dict(scores))}, scores


def _handshake(capture: Path) -> list[dict[str, Any]]:
    """Return the first three segments of the first flow as plain data."""
    from lab.dissect.tcp.flows import find_flows
    from lab.dissect.tcp.segments import flag_names, read_segments

    segments = read_segments(capture)
    flow = find_flows(segments)[0]
    steps = []
    for row in flow.rows[:3].tolist():
        flags = flag_names(int(segments.flags[row]))
        step = {
            "frame": int(segments.number[row]),
            "time_us": (int(segments.time_ns[row]) - flow.start_ns) / 1000,
            "from": "{}:{}".format(*segments.endpoint(row)),
            "to": "{}:{}".format(*segments.endpoint(row, destination=True)),
            "flags": flags,
            "seq": int(segments.seq[row]),
            "relative_seq": int(segments.relative_seq[row]),
            "relative_ack": int(segments.relative_ack[row]) if "ACK" in flags else None,
            "info": segments.info(row),
        }
        steps.append(step)
    return steps


def _print_facts(facts: dict[str, Any], rows: int | None) -> None:
    """Print the three parts for people."""
    _print_handshake(facts["handshake"])
    plain, *others = facts["sessions"]
    title = "PSH payloads of the plaintext session, as an eavesdropper reads them on their way to the server"
    _print_messages(f"(b) {title}", plain, "payload", "text", rows)
    for session in others:
        which = f"{session['label']} session ({session['cipher']})"
        title = f"(c) The same lines in the {which}: records, and no text"
        _print_messages(title, session, f"first {SHOWN_BYTES} bytes of the record's content", "hex", rows)


def _print_scores(scores: "dict[str, list[Score]]") -> None:
    """Print what was recovered of each class in each session; a class with nothing in any of them has no row."""
    from lab.exposure.scoring import LABELS

    rows, columns = [], ["class", "what it is"]
    for label in scores:
        columns += [label, "95 %"]
    for of_kind in zip(*scores.values(), strict=True):
        row = list(LABELS[of_kind[0].kind])
        for one in of_kind:
            row += [f"{one.right} of {one.total}", one.interval_words] if one.total else ["none", ""]
        if any(one.total for one in of_kind):
            rows.append(row)
    _print_table("(d) How much of each class an eavesdropper recovers exactly", columns, rows)
    false = [f"{sum(one.wrong for one in found)} in {label}" for label, found in scores.items()]
    print(f"    95 %: the confidence interval of the share. Claims that are false: {', '.join(false)}.")
    if not any(one.total for found in scores.values() for one in found if one.kind == "private"):
        print("    The chat had no private messages.")
    print("    A line with a secret in it counts among the secrets, not as content.")
    print()


def _print_handshake(handshake: list[dict[str, Any]]) -> None:
    rows = []
    for step, meaning in zip(handshake, MEANINGS, strict=True):
        time, seq, ack = f"{step['time_us']:.0f}", step["relative_seq"], step["relative_ack"]
        rows.append([step["frame"], time, step["from"], step["to"], step["flags"], seq, ack, meaning])
    columns = ["frame", "µs", "from", "to", "flags", "seq", "ack", "in words"]
    _print_table("(a) The three-way handshake, frame by frame (RFC 9293 section 3.5)", columns, rows)
    first = handshake[0]["seq"]
    print(f"    Relative numbers, as Wireshark shows them; the first seq on the wire was {first}.")


def _print_messages(title: str, session: dict[str, Any], column: str, key: str, most: int | None) -> None:
    """Print what an eavesdropper has of each message: its text, or the first bytes of its ciphertext."""
    messages = session["eavesdropper"]
    rows = [[item["frame"], item["from"], item["bytes"], printable(item[key])] for item in messages[:most]]
    _print_table(title, ["frame", "from", "bytes", column], rows)
    if more := len(messages) - len(rows):
        print(f"    ... and {more} more; --all-rows shows them.")


def _print_table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 118)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in NUMBERS else "left")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(Text(f"\n{title}", style="bold"), table, sep="\n")


def conclusion(scores: "dict[str, list[Score]]") -> str:
    """Return the finding in two sentences, from the scores of each session."""
    found = []
    for label, items in scores.items():
        # A line with a secret word is a line, too; the report's wire has no password.
        lines = [item for item in items if item.kind in ("content", "secrets")]
        right, total = sum(item.right for item in lines), sum(item.total for item in lines)
        found.append(f"{right} of {total} lines {'in' if label == 'plaintext' else 'over'} {label}")
    return (
        f"An eavesdropper reads {' and '.join(found)}.\n"
        "TLS hides what is said; who is there, when, with whom they talk and how long a line is stay visible."
    )


def _short(path: Path) -> str:
    """Return the path relative to the current folder if it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
