"""What the page says without a script: facts, handshake, ladder, transcript, and how much was recovered."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image  # matplotlib needs it, too

from lab.charts import find_charts, to_png
from lab.charts.figure import counted
from lab.dissect.packets.other_frames import describe
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import Segments
from lab.explorer.data import Source
from lab.exposure import Intercept, Score, length_leak, score
from lab.exposure.intercept import Message

Entry = dict[str, Any]  # of a manifest

MOST_ROWS = 200  # of a transcript
COLOURS = 64  # of a chart: its picture is a third as large as with all


@dataclass
class Figure:
    """A chart as a PNG image in base64, and its text twin."""

    picture: str
    twin: str


def summarise(source: Source, entry: Entry | None) -> dict[str, Any]:
    """Return the summary of a capture; its entry in a manifest says what it is called and whether it is scored."""
    chosen = next((flow for flow in source.flows if flow.handshake and flow.handshake.ack), None)
    shown = chosen or next(iter(source.flows), None)
    shake = chosen.handshake if chosen else None
    name, messages = source.path.name, source.intercept.messages
    return {
        "source": source,
        "entry": entry,
        "label": entry.get("label", name) if entry else name,
        "finding": finding(name, source.intercept),
        "facts": _facts(source, entry),
        "handshake": _handshake(source.segments, chosen) if chosen else [],
        "rtt": f"{1e6 * shake.rtt_s:.0f} µs" if shake and shake.rtt_s is not None else "",
        "ladder": draw("ladder", shown, max_rows=24) if shown else None,
        "flow": shown.number if shown else 0,
        "transcript": [_line(message) for message in messages[:MOST_ROWS]],
        "left_out": max(0, len(messages) - MOST_ROWS),
    }


def read_scores(summaries: Sequence[dict[str, Any]]) -> tuple[dict[str, list[Score]], Figure] | None:
    """Return the scores of the captures that a manifest describes, and their chart; None if there are none."""
    scores: dict[str, list[Score]] = {}
    for one in summaries:
        if one["entry"]:
            label, source = one["label"], one["source"]
            label = label if label not in scores else f"{label} ({source.path.name})"
            scores[label] = score(source.intercept, one["entry"])
    return (scores, draw("exposure", scores)) if scores else None


def finding(name: str, intercept: Intercept) -> str:
    """Return what an eavesdropper learned from one capture, in a sentence."""
    read, said = len(intercept.lines), len(intercept.said)
    if not intercept.messages:
        return f"No message to a server was seen in {name}."
    if said and not read:
        return f"From {name}, an eavesdropper counts {counted(said, 'line')} and reads none."
    return f"From {name}, an eavesdropper reads {read} of {counted(said, 'line')}."


def draw(name: str, *data: Any, **options: Any) -> Figure:
    chart, picture = find_charts()[name], io.BytesIO()
    drawn = Image.open(io.BytesIO(to_png(chart.draw(*data, **options)))).convert("RGB")
    drawn.quantize(COLOURS).save(picture, "PNG", optimize=True)
    return Figure(base64.b64encode(picture.getvalue()).decode(), chart.in_words(*data, **options))


def _facts(source: Source, entry: Entry | None) -> list[tuple[str, str]]:
    segments, intercept = source.segments, source.intercept
    protocol = " ".join(filter(None, [intercept.tls_version, intercept.cipher_suite]))
    truth = (
        "manifest.json beside the file" if entry else "no manifest describes this file, so nothing is scored"
    )
    rows = [
        ("file", source.path.name),
        ("frames", str(len(segments.capture))),
        ("TCP", f"{counted(len(segments), 'segment')} in {counted(len(source.flows), 'flow')}"),
        ("server", intercept.server or "none seen"),
        ("protocol", protocol or "plaintext"),
        ("disguise", intercept.disguise or "none"),
        ("server name asked for", intercept.server_name or "not visible"),
        ("names in the certificate", ", ".join(intercept.certificate_names) or "not visible"),
        ("payload", f"{intercept.read_bytes:,} of {counted(intercept.carried_bytes, 'byte')} read"),
        ("what the lengths reveal", str(length_leak([message.length for message in intercept.said]))),
        ("truth", truth),
    ]
    if others := segments.not_looked_into:
        rows.append(("not looked into", describe({name: len(numbers) for name, numbers in others.items()})))
    if segments.capture.truncated:
        rows.append(("note", segments.capture.truncated))
    return rows


def _handshake(segments: Segments, flow: Flow) -> list[tuple[int, str, str]]:
    shake, rows = flow.handshake, []
    for number in (shake.syn, shake.syn_ack, shake.ack) if shake else ():
        row = int((segments.number == number).argmax())
        rows.append((int(segments.number[row]), str(segments.endpoint(row)), segments.info(row)))
    return rows


def _line(message: Message) -> tuple[int, str, str, str, bool]:
    """Return a line of the transcript: frame, from, to, text, whether it could be read."""
    shown = message.text
    if shown is None:
        length = "" if message.text_length is None else f", a text of {counted(message.text_length, 'byte')}"
        shown = (
            f"{message.payload[:16].hex(' ')} ... (a message of {counted(message.length, 'byte')}{length})"
        )
    to = f"to {len(message.recipients)}" if message.is_line else message.kind
    return message.frame, message.who or message.endpoint, to, shown, message.text is not None
