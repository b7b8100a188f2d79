"""``python3 lab report CAPTURE... [-o report.html]``: write one page about one capture or two.

Self-contained: the pictures are inside, nothing is loaded from anywhere, and there is no script in it. What is shown is
what an eavesdropper has. Where a ``manifest.json`` beside a capture knows it (by its SHA-256), it is scored as well.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.chat.events import printable

if TYPE_CHECKING:  # imported where they are used, so that --help comes before the set-up
    from lab.dissect.tcp.flows import Flow, Handshake
    from lab.dissect.tcp.segments import Segments
    from lab.exposure import Intercept, Score

Entry = dict[str, Any]  # of a manifest

# What a score needs; the entries of lessons have other members.
NEEDED = {"users", "events", "server", "tls_version"}
MOST_ROWS = 200  # of a transcript
LONGEST_CAPTION = 600  # characters; a longer one is folded away
STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --soft: #5a5a5a; --line: #d0d0d0; --band: #f3f3f3;
        --alarm: #a33b00; --safe: #00578a }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --paper: #16181b; --soft: #b4b4b4; --line: #444; --band: #22252a; --alarm: #ff9a5c;
          --safe: #7cc4f5 }
}
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--paper); color: var(--ink);
       font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; line-height: 1.2 } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
p.soft, td.soft { color: var(--soft) }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem } caption { text-align: left }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
td.mono { font-family: ui-monospace, monospace; overflow-wrap: anywhere; min-width: 12rem }
td.read { color: var(--alarm) } td.hidden { color: var(--safe) }
figure { margin: 1rem 0; overflow-x: auto } summary { cursor: pointer }
img { width: 100%; min-width: 34rem; height: auto; background: #fff; border-radius: 4px }
td.number, th.number, td.share { white-space: nowrap }
figcaption { color: var(--soft); font-size: .85rem; white-space: pre-line }
@media print { body { max-width: none } h2 { break-after: avoid } figure, tr { break-inside: avoid } }
"""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab report", description="One self-contained page about captures.")
    parser.add_argument("captures", type=Path, nargs="+", metavar="CAPTURE", help="pcap or pcapng files")
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="default: %(default)s")
    options = parser.parse_args(argv)

    from lab.dissect.files.capture_file import CaptureError, read_frames

    try:
        for path in options.captures:
            if cut := read_frames(path).truncated:
                print(f"report: {path}: {cut}", file=sys.stderr)
        write(options.captures, options.output)
    except CaptureError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        is_ours = not error.filename or str(error.filename).endswith(".part")
        about = options.output if is_ours else error.filename
        print(f"report: {about}: {error.strerror or error}", file=sys.stderr)
        return 2
    print(options.output)
    return 0


def write(captures: list[Path], output: Path) -> None:
    """Write the page. Raises CaptureError or OSError; then an earlier page is left as it was."""
    page = make(captures)
    partial = output.with_suffix(output.suffix + ".part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(output)


def make(captures: list[Path]) -> str:
    """Return the page as HTML."""
    from lab.exposure import eavesdrop, score

    sections, scores, findings = [], {}, []
    for path in captures:
        intercept, entry = eavesdrop(path), manifest_entry(path)
        label = entry.get("label", path.name) if entry else path.name
        if label in scores:
            label = f"{label} ({path.name})"
        if entry:
            scores[label] = score(intercept, entry)
        findings.append(finding(path.name, intercept))
        sections.append(_section(path, label, intercept, entry))
    title = "What an eavesdropper learns from " + " and ".join(path.name for path in captures)
    head = f"<h1>{_text(title)}</h1><p><strong>{_text(' '.join(findings))}</strong></p>"
    head += _exposure(scores) if scores else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{head}\n{''.join(sections)}\n</main>\n</body>\n</html>\n"
    )


def finding(name: str, intercept: Intercept) -> str:
    """Return what an eavesdropper learned from one capture, in a sentence."""
    from lab.charts.figure import counted

    read, said = len(intercept.lines), len(intercept.said)
    if not intercept.messages:
        return f"No message to a server was seen in {name}."
    if said and not read:
        return f"From {name}, an eavesdropper counts {counted(said, 'line')} and reads none."
    return f"From {name}, an eavesdropper reads {read} of {counted(said, 'line')}."


def manifest_entry(capture: Path) -> Entry | None:
    """Return the entry of a capture in the manifest beside it, or None. A file that has changed since has no entry."""
    from lab.harness.manifest import MANIFEST, read_manifest
    from lab.harness.tap import RecordingError

    try:
        manifest = read_manifest(capture.parent / MANIFEST)
        digest = hashlib.sha256(capture.read_bytes()).hexdigest()
    except (RecordingError, OSError):
        return None
    for entry in manifest["recordings"]:
        if isinstance(entry, dict) and entry.get("sha256") == digest and entry.keys() >= NEEDED:
            return entry
    return None


def _exposure(scores: dict[str, list[Score]]) -> str:
    rows = [
        [
            label,
            item.kind,
            item.right,
            item.total,
            (f"{100 * item.share:.0f} %" if item.total else "n/a", "share"),
            item.wrong,
        ]
        for label, items in scores.items()
        for item in items
    ]
    headings = ["session", "class", "recovered", "of", "share", "false claims"]
    return (
        "<h2>How much of the conversation?</h2>"
        "<p>The manifest that was written while recording is the truth; only what is exactly right counts.</p>"
        + _figure("exposure", scores)
        + _table(headings, rows)
    )


def _section(path: Path, label: str, intercept: Intercept, entry: Entry | None) -> str:
    from lab.dissect.tcp.flows import find_flows
    from lab.dissect.tcp.segments import read_segments

    segments = read_segments(path)
    flows = find_flows(segments)
    parts = [f"<h2>{_text(label)}</h2>", _facts(path, segments, flows, intercept, entry)]
    handshaken = next((flow for flow in flows if flow.handshake and flow.handshake.ack), None)
    if handshaken and handshaken.handshake:
        parts += ["<h3>The handshake</h3>", _handshake(segments, handshaken.handshake)]
    if flows:
        shown = handshaken or flows[0]
        parts += [
            f"<h3>Flow {shown.number}, segment by segment</h3>",
            _figure("ladder", shown, max_rows=24),
        ]
    parts += ["<h3>The transcript, as the eavesdropper has it</h3>", _transcript(intercept)]
    return "\n".join(parts)


def _facts(
    path: Path, segments: Segments, flows: list[Flow], intercept: Intercept, entry: Entry | None
) -> str:
    from lab.charts.figure import counted
    from lab.dissect.packets.other_frames import describe
    from lab.exposure import length_leak

    rows = [
        ["file", path.name],
        ["frames", str(len(segments.capture))],
        ["TCP", f"{counted(len(segments), 'segment')} in {counted(len(flows), 'flow')}"],
        ["server", intercept.server or "none seen"],
        ["protocol", " ".join(filter(None, [intercept.tls_version, intercept.cipher_suite])) or "plaintext"],
        ["disguise", intercept.disguise or "none"],
        ["server name asked for", intercept.server_name or "not visible"],
        ["names in the certificate", ", ".join(intercept.certificate_names) or "not visible"],
        ["payload", f"{intercept.read_bytes:,} of {counted(intercept.carried_bytes, 'byte')} read"],
        ["what the lengths reveal", str(length_leak([message.length for message in intercept.said]))],
        [
            "truth",
            "manifest.json beside the file"
            if entry
            else "no manifest describes this file, so nothing is scored",
        ],
    ]
    if others := segments.not_looked_into:
        rows.append(["not looked into", describe({name: len(numbers) for name, numbers in others.items()})])
    if segments.capture.truncated:
        rows.append(["note", segments.capture.truncated])
    return _table(["", ""], rows)


def _handshake(segments: Segments, handshake: Handshake) -> str:
    rows = []
    for number in (handshake.syn, handshake.syn_ack, handshake.ack):
        row = int((segments.number == number).argmax())
        rows.append([number, "{}:{}".format(*segments.endpoint(row)), segments.info(row)])
    table = _table(["frame", "from", "info"], rows)
    if handshake.rtt_s is None:
        return table
    return table + f"<p class=soft>Round trip seen from here: {1e6 * handshake.rtt_s:.0f} µs.</p>"


def _transcript(intercept: Intercept) -> str:
    from lab.charts.figure import counted

    if not intercept.messages:
        return "<p>No messages to a server were seen.</p>"
    rows = []
    for message in intercept.messages[:MOST_ROWS]:
        if message.text is not None:
            shown, style = printable(message.text), "read"
        else:
            length = ""
            if message.text_length is not None:
                length = f", a text of {counted(message.text_length, 'byte')}"
            shown, style = (
                f"{message.payload[:16].hex(' ')} ... (a message of {counted(message.length, 'byte')}{length})",
                "hidden",
            )
        to = f"to {len(message.recipients)}" if message.kind in ("say", "tell") else message.kind
        rows.append([message.frame, printable(message.who or message.endpoint), to, (shown, f"mono {style}")])
    more = len(intercept.messages) - len(rows)
    note = f"<p>... and {more} more.</p>" if more > 0 else ""
    return _table(["frame", "from", "", "what"], rows) + note


def _table(headings: list[str], rows: list[list[Any]]) -> str:
    """Return an HTML table; a cell is a value, or a value and its class."""

    def cell(value: Any) -> str:
        value, style = (
            value if isinstance(value, tuple) else (value, "number" if isinstance(value, int) else "")
        )
        return f'<td class="{style}">{_text(value)}</td>' if style else f"<td>{_text(value)}</td>"

    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings) if any(headings) else ""
    body = "".join("<tr>" + "".join(map(cell, row)) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table>{f"<thead><tr>{head}</tr></thead>" if head else ""}<tbody>\n{body}</tbody></table></div>'


def _figure(name: str, *data: Any, **options: Any) -> str:
    """Return a chart with its text twin, as alternative text and below the picture."""
    from lab.charts import find_charts, to_png

    chart = find_charts()[name]
    ax, twin = chart.draw(*data, **options), chart.in_words(*data, **options)
    caption = _text(twin)
    if len(twin) > LONGEST_CAPTION:
        caption = f"<details><summary>The same in words</summary>{caption}</details>"
    picture = base64.b64encode(to_png(ax)).decode()
    return (
        f'<figure><img src="data:image/png;base64,{picture}" alt="{_text(twin)}">'
        f"</figure><figure><figcaption>{caption}</figcaption></figure>"
    )


def _text(value: object) -> str:
    return html.escape("\n".join(map(printable, str(value).split("\n"))))
