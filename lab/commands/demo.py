"""``python3 lab demo``: record a chat twice, dissect it, and show what an eavesdropper reads.

If this machine lets nobody record, it continues with the captures that ship with the kit, and says so.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.setup.paths import ROOT

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from lab.exposure.scoring import Score

SHIPPED = ROOT / "captures" / "chat"
VARIANTS = ("none", "1.3")
CHART, PAGE = "exposure.png", "report.html"
SHOWN_BYTES = 16  # of each ciphertext
SHOWN_ROWS = 12  # of each table, unless all are asked for
NUMBERS = ("frame", "µs", "seq", "ack", "bytes")  # columns aligned to the right
MEANINGS = (
    "let us talk: I count from here",
    "yes: I count from here, and have yours",
    "I have yours too: we are connected",
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab demo",
        description="Record a chat in plaintext and over TLS, and show what an eavesdropper reads.",
    )
    out = ROOT / "captures" / "demo"
    parser.add_argument(
        "--out", type=Path, default=out, metavar="DIR", help="folder to write (captures/demo)"
    )
    parser.add_argument("--seed", type=int, default=0, help="which conversation (default: %(default)s)")
    parser.add_argument(
        "--all-rows", action="store_true", help=f"show whole tables, not {SHOWN_ROWS} rows of each"
    )
    parser.add_argument("--quiet", action="store_true", help="print the names of the files only")
    parser.add_argument("--json", action="store_true", help="print the same facts as JSON only")
    return parser


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)

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
        report.write(captures, page)
    except (RecordingError, CaptureError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        reason = error.strerror or error
        print(f"demo: cannot write into {options.out}: {reason}; try --out DIR", file=sys.stderr)
        return 2
    files = [*captures, folder / MANIFEST, chart, page]
    if options.json:
        facts |= {"recorded": refusal is None, "refusal": refusal, "files": [str(file) for file in files]}
        print(json.dumps(facts, indent=1))
        return 0
    if not silent:
        _print_facts(facts, None if options.all_rows else SHOWN_ROWS)
    print("\n".join(_short(file) for file in files))
    if not silent:
        _print_what_next(files)
        print(f"\n{conclusion(scores)}")
    return 0


def _recordings(out: Path, seed: int, say: Callable[[str], None]) -> tuple[Path, dict[str, Any], str | None]:
    """Return the folder and manifest of fresh recordings, or of the shipped ones and why nothing was recorded."""
    from lab.harness.manifest import MANIFEST, read_manifest
    from lab.harness.session import record
    from lab.harness.tap import RecordingRefused
    from lab.harness.variant import Variant

    say("Recording the same chat twice: in plaintext, and over TLS 1.3.")
    try:
        return out, record(out, VARIANTS, seed, say=lambda line: say("  " + line)), None
    except RecordingRefused as error:
        print(f"demo: {error}", file=sys.stderr)
        print(
            f"demo: continuing with the captures that ship with the kit, in {_short(SHIPPED)}",
            file=sys.stderr,
        )
        manifest = read_manifest(SHIPPED / MANIFEST)
        names = [Variant(tls=tls).name + ".pcapng" for tls in VARIANTS]
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
    rows = find_flows(segments)[0].rows[:3].tolist()
    steps = []
    for row in rows:
        flags = flag_names(int(segments.flags[row]))
        steps.append(
            {
                "frame": int(segments.number[row]),
                "time_us": (int(segments.time_ns[row]) - int(segments.time_ns[rows[0]])) / 1000,
                "from": "{}:{}".format(*segments.endpoint(row)),
                "to": "{}:{}".format(*segments.endpoint(row, destination=True)),
                "flags": flags,
                "seq": int(segments.seq[row]),
                "relative_seq": int(segments.relative_seq[row]),
                "relative_ack": int(segments.relative_ack[row]) if "ACK" in flags else None,
                "info": segments.info(row),
            }
        )
    return steps


def _print_facts(facts: dict[str, Any], rows: int | None) -> None:
    """Print the three parts for people."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 118)
    _print_handshake(console, facts["handshake"])
    plain, *others = facts["sessions"]
    title = (
        "(b) PSH payloads of the plaintext session, as an eavesdropper reads them on their way to the server"
    )
    _print_messages(console, title, plain, "payload", "text", rows)
    for session in others:
        title = f"(c) The same lines in the {session['label']} session ({session['cipher']}): records, and no text"
        column = f"first {SHOWN_BYTES} bytes of the record's content"
        _print_messages(console, title, session, column, "hex", rows)
    print(f"\n{facts['text']}\n")


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in NUMBERS else "left")
    return table


def _print_handshake(console: "Console", handshake: list[dict[str, Any]]) -> None:
    from rich.text import Text

    title = "(a) The three-way handshake, frame by frame (RFC 9293 section 3.5)"
    console.print(Text(f"\n{title}", style="bold"))
    table = _table("frame", "µs", "from", "to", "flags", "seq", "ack", "in words")
    for step, meaning in zip(handshake, MEANINGS, strict=True):
        ack = "" if step["relative_ack"] is None else step["relative_ack"]
        row = [step["frame"], f"{step['time_us']:.0f}", step["from"], step["to"], step["flags"]]
        table.add_row(*map(str, [*row, step["relative_seq"], ack, meaning]))
    console.print(table)
    first = handshake[0]["seq"]
    print(f"    Relative numbers, as Wireshark shows them; the first seq on the wire was {first}.")


def _print_messages(
    console: "Console", title: str, session: dict[str, Any], column: str, key: str, rows: int | None
) -> None:
    """Print what an eavesdropper has of each message: its text, or the first bytes of its ciphertext."""
    from rich.text import Text

    from lab.chat.events import printable

    console.print(Text(f"\n{title}", style="bold"))
    messages = session["eavesdropper"]
    table = _table("frame", "from", "bytes", column)
    for item in messages[:rows]:
        content = Text(printable(item[key]))
        table.add_row(str(item["frame"]), Text(item["from"]), str(item["bytes"]), content)
    console.print(table)
    if rows is not None and len(messages) > rows:
        print(f"    ... and {len(messages) - rows} more; --all-rows shows them.")


def conclusion(scores: "dict[str, list[Score]]") -> str:
    """Return the finding in two sentences, from the scores of each session."""
    content = {label: item for label, items in scores.items() for item in items if item.kind == "content"}
    found = [
        f"{item.right} of {item.total} lines {'in' if label == 'plaintext' else 'over'} {label}"
        for label, item in content.items()
    ]
    return (
        f"An eavesdropper reads {' and '.join(found)}.\n"
        "TLS hides what is said; who is there, when, with whom they talk and how long a line is stay visible."
    )


def _print_what_next(files: list[Path]) -> None:
    print()
    print("What next:")
    print(f"  open {_short(files[-1])} in a browser: handshake, transcript and charts on one page")
    print(f"  open {_short(files[0])} in Wireshark, display filter: tcp.flags.push == 1 && tcp.len > 0")
    print("  python3 lab notebooks           the course, from notebooks/00_start_here.ipynb on")
    print("  python3 lab/server.py           and in two more terminals: python3 lab/client.py")


def _short(path: Path) -> str:
    """Return the path relative to the current folder if it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
