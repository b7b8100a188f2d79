"""``python3 lab report CAPTURE... [-o report.html]``: write one page about one capture or two.

Self-contained: the pictures are inside, nothing is loaded from anywhere, and there is no script in it. What is shown is
what an eavesdropper has. Where a ``manifest.json`` beside a capture knows it (by its SHA-256), it is scored as well.
"""

from __future__ import annotations

import base64
import html
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.chat.events import printable
from lab.commands import command_line, file_fault, refuse

if TYPE_CHECKING:  # imported where they are used, so that --help comes before the set-up
    from lab.dissect.tcp.flows import Handshake
    from lab.dissect.tcp.segments import Segments
    from lab.exposure import Intercept, Message, Score

Entry = dict[str, Any]  # of a manifest

# What a score needs; the entries of lessons have other members.
NEEDED = {"users", "events", "server", "tls_version"}
MOST_ROWS = 200  # of a transcript
LONGEST_CAPTION = 600  # characters; a longer one is folded away
STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --soft: #5a5a5a; --line: #d0d0d0;
        --alarm: #a33b00; --safe: #00578a }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --paper: #16181b; --soft: #b4b4b4; --line: #444; --alarm: #ff9a5c; --safe: #7cc4f5 } }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--paper); color: var(--ink);
       font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; line-height: 1.2 } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
p.soft { color: var(--soft) }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
td.number { text-align: right; font-variant-numeric: tabular-nums } td.number, td.share { white-space: nowrap }
td.mono { font-family: ui-monospace, monospace; overflow-wrap: anywhere; min-width: 12rem }
td.read { color: var(--alarm) } td.hidden { color: var(--safe) }
figure { margin: 1rem 0; overflow-x: auto } summary { cursor: pointer }
img { width: 100%; min-width: 34rem; height: auto; background: #fff; border-radius: 4px }
figcaption { color: var(--soft); font-size: .85rem; white-space: pre-line }
@media print { body { max-width: none } h2 { break-after: avoid } figure, tr { break-inside: avoid } }
"""


def main(argv: list[str] | None = None) -> int:
    parser = command_line("report", "One self-contained page about captures.")
    parser.add_argument("captures", type=Path, nargs="+", metavar="CAPTURE", help="pcap or pcapng files")
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="default: %(default)s")
    options = parser.parse_args(argv)

    from lab.dissect.files.capture_file import CaptureError, read_frames

    try:
        for path in options.captures:
            if cut := read_frames(path).truncated:
                print(f"report: {path}: {cut}", file=sys.stderr)
        write_page(options.captures, options.output)
    except CaptureError as error:
        return refuse("report", error)
    except OSError as error:
        return refuse("report", file_fault(error, options.output))
    print(options.output)
    return 0


def write_page(captures: list[Path], output: Path) -> None:
    """Write the page. Raises CaptureError or OSError; then an earlier page is left as it was."""
    page = make_page(captures)
    partial = output.with_suffix(output.suffix + ".part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(output)


def make_page(captures: list[Path]) -> str:
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
    title = _text("What an eavesdropper learns from " + " and ".join(path.name for path in captures))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1><p><strong>{_text(" ".join(findings))}</strong></p>{_exposure(scores)}
{"".join(sections)}
</main>
</body>
</html>
"""


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
    from lab.harness.manifest import MANIFEST, read_manifest, sha256_of
    from lab.harness.tap import RecordingError

    try:
        manifest, digest = read_manifest(capture.parent / MANIFEST), sha256_of(capture)
    except (RecordingError, OSError):
        return None
    for entry in manifest["recordings"]:
        if isinstance(entry, dict) and entry.get("sha256") == digest and entry.keys() >= NEEDED:
            return entry
    return None


def _exposure(scores: dict[str, list[Score]]) -> str:
    if not scores:
        return ""
    rows = []
    for label, items in scores.items():
        for item in items:
            share = f"{100 * item.share:.0f} %" if item.total else "n/a"
            rows.append([label, item.kind, item.right, item.total, (share, "share"), item.wrong])
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
    parts = [f"<h2>{_text(label)}</h2>", _facts(path.name, segments, intercept, entry)]
    handshaken = next((flow for flow in flows if flow.handshake and flow.handshake.ack), None)
    if handshaken and handshaken.handshake:
        parts += ["<h3>The handshake</h3>", _handshake(segments, handshaken.handshake)]
    if flows:
        shown = handshaken or flows[0]
        parts += [f"<h3>Flow {shown.number}, segment by segment</h3>", _figure("ladder", shown, max_rows=24)]
    parts += ["<h3>The transcript, as the eavesdropper has it</h3>", _transcript(intercept.messages)]
    return "\n".join(parts)


def _facts(name: str, segments: Segments, intercept: Intercept, entry: Entry | None) -> str:
    from lab.charts.figure import counted
    from lab.dissect.packets.other_frames import describe
    from lab.exposure import length_leak

    unknown = "no manifest describes this file, so nothing is scored"
    rows = [
        ["file", name],
        ["frames", str(len(segments.capture))],
        ["TCP", f"{counted(len(segments), 'segment')} in {counted(segments.flow_count, 'flow')}"],
        ["server", intercept.server or "none seen"],
        ["protocol", " ".join(filter(None, [intercept.tls_version, intercept.cipher_suite])) or "plaintext"],
        ["disguise", intercept.disguise or "none"],
        ["server name asked for", intercept.server_name or "not visible"],
        ["names in the certificate", ", ".join(intercept.certificate_names) or "not visible"],
        ["payload", f"{intercept.read_bytes:,} of {counted(intercept.carried_bytes, 'byte')} read"],
        ["what the lengths reveal", str(length_leak(intercept.line_lengths))],
        ["truth", "manifest.json beside the file" if entry else unknown],
    ]
    if others := segments.not_looked_into:
        rows.append(["not looked into", describe({name: len(numbers) for name, numbers in others.items()})])
    if segments.capture.truncated:
        rows.append(["note", segments.capture.truncated])
    return _table([], rows)


def _handshake(segments: Segments, handshake: Handshake) -> str:
    rows = []
    for number in (handshake.syn, handshake.syn_ack, handshake.ack):
        row = int((segments.number == number).argmax())
        rows.append([number, "{}:{}".format(*segments.endpoint(row)), segments.info(row)])
    table = _table(["frame", "from", "info"], rows)
    if handshake.rtt_s is None:
        return table
    return table + f"<p class=soft>Round trip seen from here: {1e6 * handshake.rtt_s:.0f} µs.</p>"


def _transcript(messages: list[Message]) -> str:
    if not messages:
        return "<p>No messages to a server were seen.</p>"
    rows = []
    for message in messages[:MOST_ROWS]:
        to = f"to {len(message.recipients)}" if message.is_line else message.kind
        rows.append([message.frame, message.who or message.endpoint, to, _content(message)])
    more = len(messages) - len(rows)
    note = f"<p>... and {more} more.</p>" if more > 0 else ""
    return _table(["frame", "from", "", "what"], rows) + note


def _content(message: Message) -> tuple[str, str]:
    """Return a message's text, or the beginning of its ciphertext; and the class of its cell."""
    from lab.charts.figure import counted

    if message.text is not None:
        return message.text, "mono read"
    length = counted(message.length, "byte")
    if message.text_length is not None:
        length += f", a text of {counted(message.text_length, 'byte')}"
    return f"{message.payload[:16].hex(' ')} ... (a message of {length})", "mono hidden"


def _table(headings: list[str], rows: list[list[Any]]) -> str:
    """Return an HTML table; a cell is a value, or a value and its class. Whole numbers are aligned to the right."""
    lines = ["".join(f"<th>{heading}</th>" for heading in headings)] if headings else []
    lines += ["".join(map(_cell, row)) for row in rows]
    return '<div class="wide"><table>\n' + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table></div>"


def _cell(value: Any) -> str:
    style = "number" if isinstance(value, int) else ""
    if isinstance(value, tuple):
        value, style = value
    attribute = f' class="{style}"' if style else ""
    return f"<td{attribute}>{_text(value)}</td>"


def _figure(name: str, *data: Any, **options: Any) -> str:
    """Return a chart with its text twin, as alternative text and below the picture."""
    from lab.charts import find_charts, to_png

    chart = find_charts()[name]
    caption = twin = _text(chart.in_words(*data, **options))
    if len(twin) > LONGEST_CAPTION:
        caption = f"<details><summary>The same in words</summary>{twin}</details>"
    picture = base64.b64encode(to_png(chart.draw(*data, **options))).decode()
    return (
        f'<figure><img src="data:image/png;base64,{picture}" alt="{twin}">'
        f"</figure><figure><figcaption>{caption}</figcaption></figure>"
    )


def _text(value: object) -> str:
    """Return a text from the network as HTML that shows it: not markup, and no control characters but line ends."""
    return html.escape("\n".join(map(printable, str(value).split("\n"))))
