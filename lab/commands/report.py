"""``python3 lab report CAPTURE... [-o report.html]``: one page about a capture, or about a plaintext and a TLS one.

Self-contained: the pictures are inside, nothing is loaded from anywhere, and there is no script in it. What is shown is
what an eavesdropper has. Where a ``manifest.json`` beside a capture knows it (by its SHA-256), it is scored as well.
"""

import argparse
import base64
import hashlib
import html
import sys
from pathlib import Path

from lab.chat.events import printable

NEEDED = {
    "users",
    "events",
    "server",
    "tls_version",
}  # what a score wants; the lessons' manifest tells other things
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
        about = (
            options.output
            if str(error.filename or "").endswith(".part")
            else error.filename or options.output
        )
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
    """The page as HTML."""
    from lab.exposure import eavesdrop, score

    sections, scores, findings = [], {}, []
    for path in captures:
        intercept, entry = eavesdrop(path), manifest_entry(path)
        label = entry.get("label", path.name) if entry else path.name
        if label in scores:
            label = f"{label} ({path.name})"
        if entry:
            scores[label] = score(intercept, entry)
        findings.append(_finding(path.name, intercept))
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


def _finding(name: str, intercept) -> str:
    """Return what an eavesdropper learned from one capture, in a sentence."""
    read, said = len(intercept.lines), len(intercept.said)
    if not intercept.messages:
        return f"No message to a server was seen in {name}."
    if said and not read:
        return f"From {name}, an eavesdropper counts {said} lines and reads none."
    return f"From {name}, an eavesdropper reads {read} of {said} lines."


def manifest_entry(capture: Path) -> dict | None:
    """What the manifest beside a capture says of it, or None; a file that has changed since is not the one meant."""
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


def _exposure(scores: dict) -> str:
    from lab.charts import describe_exposure, draw_exposure

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
        + _figure(draw_exposure(scores), describe_exposure(scores))
        + _table(headings, rows)
    )


def _section(path: Path, label: str, intercept, entry: dict | None) -> str:
    from lab.charts import describe_ladder, draw_ladder
    from lab.dissect.tcp.flows import find_flows
    from lab.dissect.tcp.segments import read_segments

    segments = read_segments(path)
    flows = find_flows(segments)
    parts = [f"<h2>{_text(label)}</h2>", _facts(path, segments, flows, intercept, entry)]
    handshaken = next((flow for flow in flows if flow.handshake and flow.handshake.ack), None)
    if handshaken:
        parts += ["<h3>The handshake</h3>", _handshake(segments, handshaken.handshake)]
    if flows:
        shown = handshaken or flows[0]
        parts += [
            f"<h3>Flow {shown.number}, segment by segment</h3>",
            _figure(draw_ladder(shown, max_rows=24), describe_ladder(shown, max_rows=24)),
        ]
    parts += ["<h3>The transcript, as the eavesdropper has it</h3>", _transcript(intercept)]
    return "\n".join(parts)


def _facts(path: Path, segments, flows: list, intercept, entry: dict | None) -> str:
    from lab.dissect.packets.other_frames import describe
    from lab.exposure import length_leak

    rows = [
        ["file", path.name],
        ["frames", str(len(segments.capture))],
        ["TCP segments, flows", f"{len(segments)}, {len(flows)}"],
        ["server", intercept.server or "none seen"],
        ["protocol", " ".join(filter(None, [intercept.tls_version, intercept.cipher_suite])) or "plaintext"],
        ["disguise", intercept.disguise or "none"],
        ["server name asked for", intercept.server_name or "not visible"],
        ["names in the certificate", ", ".join(intercept.certificate_names) or "not visible"],
        ["payload bytes, of these read", f"{intercept.carried_bytes}, {intercept.read_bytes}"],
        ["what the lengths give away", str(length_leak([message.length for message in intercept.said]))],
        [
            "truth",
            "manifest.json beside the file" if entry else "no manifest knows this file, so nothing is scored",
        ],
    ]
    if others := segments.not_looked_into:
        rows.append(["not looked into", describe({name: len(numbers) for name, numbers in others.items()})])
    if segments.capture.truncated:
        rows.append(["note", segments.capture.truncated])
    return _table(["", ""], rows)


def _handshake(segments, handshake) -> str:
    rows = []
    for number in (handshake.syn, handshake.syn_ack, handshake.ack):
        row = int((segments.number == number).argmax())
        rows.append([number, "{}:{}".format(*segments.endpoint(row)), segments.info(row)])
    return _table(["frame", "from", "info"], rows) + (
        f"<p class=soft>Round trip seen from here: {1e6 * handshake.rtt_s:.0f} µs.</p>"
    )


def _transcript(intercept) -> str:
    if not intercept.messages:
        return "<p>No messages to a server were seen.</p>"
    rows = []
    for message in intercept.messages[:MOST_ROWS]:
        if message.text is not None:
            shown, style = printable(message.text), "read"
        else:
            length = f", a text of {message.text_length} bytes" if message.text_length is not None else ""
            shown, style = (
                f"{message.payload[:16].hex(' ')} ... (a message of {message.length} bytes{length})",
                "hidden",
            )
        to = f"to {len(message.recipients)}" if message.kind in ("say", "tell") else message.kind
        rows.append([message.frame, printable(message.who or message.endpoint), to, (shown, f"mono {style}")])
    more = len(intercept.messages) - len(rows)
    note = f"<p>... and {more} more.</p>" if more > 0 else ""
    return _table(["frame", "from", "", "what"], rows) + note


def _table(headings: list[str], rows: list[list]) -> str:
    """An HTML table; a cell is a value, or a value and its class."""

    def cell(value) -> str:
        value, style = (
            value if isinstance(value, tuple) else (value, "number" if isinstance(value, int) else "")
        )
        return f'<td class="{style}">{_text(value)}</td>' if style else f"<td>{_text(value)}</td>"

    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings) if any(headings) else ""
    body = "".join("<tr>" + "".join(map(cell, row)) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table>{f"<thead><tr>{head}</tr></thead>" if head else ""}<tbody>\n{body}</tbody></table></div>'


def _figure(ax, twin: str) -> str:
    from lab.charts import to_png

    caption = _text(twin)
    if len(twin) > LONGEST_CAPTION:
        caption = f"<details><summary>The same in words</summary>{caption}</details>"
    picture = base64.b64encode(to_png(ax)).decode()
    return (
        f'<figure><img src="data:image/png;base64,{picture}" alt="{_text(twin)}">'
        f"</figure><figure><figcaption>{caption}</figcaption></figure>"
    )


def _text(value) -> str:
    return html.escape("\n".join(map(printable, str(value).split("\n"))))
