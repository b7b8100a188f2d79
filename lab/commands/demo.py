"""``python3 lab demo``: record a chat twice, dissect it, and show what an eavesdropper reads.

Where this machine does not let anyone record, it goes on with the captures that ship with the kit, and says so.
"""

import argparse
import json
import sys
from pathlib import Path

from lab.setup.paths import ROOT

SHIPPED = ROOT / "captures" / "chat"
VARIANTS = ("none", "1.3")
CHART, PAGE = "exposure.png", "report.html"
SHOWN_BYTES = 16  # of each ciphertext
SHOWN_ROWS = 12  # of each table, unless all are asked for


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="lab demo",
        description="Record a chat in plaintext and over TLS, and show what an eavesdropper reads.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "captures" / "demo",
        metavar="DIR",
        help="folder to write (captures/demo)",
    )
    parser.add_argument("--seed", type=int, default=0, help="which conversation (default: %(default)s)")
    parser.add_argument(
        "--all-rows", action="store_true", help=f"show whole tables, not {SHOWN_ROWS} rows of each"
    )
    parser.add_argument("--quiet", action="store_true", help="name the files, nothing else")
    parser.add_argument("--json", action="store_true", help="print the same facts as JSON, and nothing else")
    options = parser.parse_args(argv)

    from lab.commands import report
    from lab.dissect.files.capture_file import CaptureError
    from lab.harness.manifest import MANIFEST, read_manifest
    from lab.harness.session import record
    from lab.harness.tap import RecordingError, RecordingRefused
    from lab.harness.variant import Variant

    def say(line: str = "") -> None:
        if not (options.quiet or options.json):
            print(line, flush=True)

    folder, recorded, refusal = options.out, True, None
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for made in (CHART, PAGE):
            (options.out / made).unlink(
                missing_ok=True
            )  # they would speak of recordings that are about to change
        try:
            say("Recording the same chat twice: in plaintext, and over TLS 1.3.")
            manifest = record(options.out, VARIANTS, options.seed, say=lambda line: say("  " + line))
        except RecordingRefused as error:
            folder, recorded, refusal = SHIPPED, False, str(error)
            print(f"demo: {refusal}", file=sys.stderr)
            print(
                f"demo: going on with the captures that ship with the kit, in {_short(SHIPPED)}",
                file=sys.stderr,
            )
            manifest = read_manifest(SHIPPED / MANIFEST)
            names = [Variant(tls=tls).name + ".pcapng" for tls in VARIANTS]
            manifest["recordings"] = [entry for entry in manifest["recordings"] if entry["file"] in names]
        facts = _facts(folder, manifest)
        facts["recorded"] = recorded
        facts["refusal"] = refusal
        chart = options.out / CHART
        _write_chart(facts["_scores"], chart)
        page_path = options.out / PAGE
        report.write([folder / recording["file"] for recording in manifest["recordings"]], page_path)
    except (RecordingError, CaptureError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"demo: cannot write into {options.out}: {error.strerror or error}; try --out DIR",
            file=sys.stderr,
        )
        return 2
    files = [folder / recording["file"] for recording in manifest["recordings"]] + [
        folder / MANIFEST,
        chart,
        page_path,
    ]
    facts["files"] = [str(file) for file in files]
    if options.json:
        del facts["_scores"]
        print(json.dumps(facts, indent=1))
        return 0
    if not options.quiet:
        _tell(facts, say, None if options.all_rows else SHOWN_ROWS)
    print("\n".join(_short(file) for file in files))
    if not options.quiet:
        _tell_what_next(files, say)
        say()
        say(conclusion(facts["_scores"]))
    return 0


def _facts(folder: Path, manifest: dict) -> dict:
    """All that the demo shows, as plain data; under "_scores" the Score objects that the chart wants."""
    from lab.charts import describe_exposure
    from lab.dissect.tcp.flows import find_flows
    from lab.dissect.tcp.segments import flag_names, read_segments
    from lab.exposure import eavesdrop, score

    sessions, scores = [], {}
    for recording in manifest["recordings"]:
        intercept = eavesdrop(folder / recording["file"])
        label = recording["label"]
        scores[label] = score(intercept, recording)
        sessions.append(
            {
                "label": label,
                "file": recording["file"],
                "frames": recording["frames"],
                "cipher": recording["cipher"],
                "eavesdropper": [
                    {
                        "frame": item.frame,
                        "from": item.who or item.endpoint,
                        "kind": item.kind,
                        "text": item.text,
                        "bytes": len(item.payload),
                        "hex": item.payload[:SHOWN_BYTES].hex(" "),
                    }
                    for item in intercept.messages
                ],
                "scores": {
                    s.kind: {"right": s.right, "wrong": s.wrong, "total": s.total, "share": s.share}
                    for s in scores[label]
                },
            }
        )
    segments = read_segments(folder / manifest["recordings"][0]["file"])
    flow = find_flows(segments)[0]
    rows = flow.rows[:3]
    handshake = [
        {
            "frame": int(segments.number[row]),
            "time_us": (int(segments.time_ns[row]) - int(segments.time_ns[rows[0]])) / 1000,
            "from": "{}:{}".format(*segments.endpoint(row)),
            "to": "{}:{}".format(*segments.endpoint(row, destination=True)),
            "flags": flag_names(int(segments.flags[row])),
            "seq": int(segments.seq[row]),
            "relative_seq": int(segments.relative_seq[row]),
            "relative_ack": int(segments.relative_ack[row])
            if "ACK" in flag_names(int(segments.flags[row]))
            else None,
            "info": segments.info(row),
        }
        for row in map(int, rows)
    ]
    return {
        "handshake": handshake,
        "sessions": sessions,
        "text": describe_exposure(scores),
        "_scores": scores,
    }


def _write_chart(scores: dict, path: Path) -> None:
    from lab.charts import draw_exposure

    draw_exposure(scores).figure.savefig(path)


MEANINGS = (
    "let us talk: I count from here",
    "yes: I count from here, and have yours",
    "I have yours too: we are connected",
)


def _tell(facts: dict, say, rows: int | None) -> None:
    """Print the three parts for people."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not sys.stdout.isatty():
        console = Console(highlight=False, width=118)

    look = {"box": box.SIMPLE_HEAD, "pad_edge": False}

    def heading(text: str) -> None:
        console.print(Text("\n" + text, style="bold"))

    def more(session: dict) -> None:
        if (left := len(session["eavesdropper"]) - (rows or len(session["eavesdropper"]))) > 0:
            say(f"    ... and {left} more; --all-rows shows them.")

    heading("(a) The three-way handshake, frame by frame (RFC 9293 section 3.5)")
    table = Table(**look)
    for name in ("frame", "µs", "from", "to", "flags", "seq", "ack", "in words"):
        table.add_column(name, justify="right" if name in ("frame", "µs", "seq", "ack") else "left")
    for step, meaning in zip(facts["handshake"], MEANINGS, strict=True):
        ack = "" if step["relative_ack"] is None else str(step["relative_ack"])
        table.add_row(
            str(step["frame"]),
            f"{step['time_us']:.0f}",
            step["from"],
            step["to"],
            step["flags"],
            str(step["relative_seq"]),
            ack,
            meaning,
        )
    console.print(table)
    say(
        f"    Relative numbers, as Wireshark shows them; the first seq on the wire was {facts['handshake'][0]['seq']}."
    )

    heading(
        "(b) PSH payloads of the plaintext session, as an eavesdropper reads them on their way to the server"
    )
    plain, *others = facts["sessions"]
    table = Table(**look)
    for name in ("frame", "from", "bytes", "payload"):
        table.add_column(name, justify="right" if name in ("frame", "bytes") else "left")
    for item in plain["eavesdropper"][:rows]:
        table.add_row(
            str(item["frame"]), Text(item["from"]), str(item["bytes"]), Text(_visible(item["text"]))
        )
    console.print(table)
    more(plain)

    for session in others:
        heading(
            f"(c) The same lines in the {session['label']} session ({session['cipher']}): records, and no text"
        )
        table = Table(**look)
        for name in ("frame", "from", "bytes", f"first {SHOWN_BYTES} bytes of the record's content"):
            table.add_column(name, justify="right" if name in ("frame", "bytes") else "left")
        for item in session["eavesdropper"][:rows]:
            table.add_row(str(item["frame"]), item["from"], str(item["bytes"]), item["hex"])
        console.print(table)
        more(session)
    say()
    say(facts["text"])
    say()


def conclusion(scores: dict) -> str:
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


def _visible(text: str) -> str:
    from lab.chat.events import printable

    return printable(text)


def _tell_what_next(files: list[Path], say) -> None:
    say()
    say("What next:")
    say(f"  open {_short(files[-1])} in a browser: handshake, transcript and charts on one page")
    say(f"  open {_short(files[0])} in Wireshark, display filter: tcp.flags.push == 1 && tcp.len > 0")
    say("  python3 lab notebooks           the course, from notebooks/00_start_here.ipynb on")
    say("  python3 lab/server.py           and in two more terminals: python3 lab/client.py")


def _short(path: Path) -> str:
    """The path from here if it lies below, else whole."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
