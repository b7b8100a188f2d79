"""What the page says without a script: facts, handshake, ladder, transcript, and how much was recovered."""

from collections.abc import Sequence
from typing import Any

from lab.dissect.packets.other_frames import describe
from lab.dissect.tcp.flow_rows import ladder_rows, time_unit
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.segments import Segments
from lab.dissect.text import counted
from lab.explorer.data import Source
from lab.exposure import Intercept, Score, length_leak, score
from lab.exposure.intercept import Message

Entry = dict[str, Any]  # of a manifest

MOST_ROWS = 200  # of a transcript
MOST_SEGMENTS = 24  # of a ladder


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
        "flow": shown,
        "ladder": ladder_rows(shown, max_rows=MOST_SEGMENTS) if shown else [],
        "time_unit": time_unit(shown.duration_s) if shown else None,
        "transcript": [_line(message) for message in messages[:MOST_ROWS]],
        "left_out": max(0, len(messages) - MOST_ROWS),
    }


def read_scores(summaries: Sequence[dict[str, Any]]) -> dict[str, list[Score]]:
    """Return the scores of the captures that a manifest describes, by label."""
    scores: dict[str, list[Score]] = {}
    for one in summaries:
        if one["entry"]:
            label, source = one["label"], one["source"]
            label = label if label not in scores else f"{label} ({source.path.name})"
            scores[label] = score(source.intercept, one["entry"])
    return scores


def finding(name: str, intercept: Intercept) -> str:
    """Return what an eavesdropper learned from one capture, in a sentence."""
    read, said = len(intercept.lines), len(intercept.said)
    if not intercept.messages:
        return f"No message to a server was seen in {name}."
    if said and not read:
        return f"From {name}, an eavesdropper counts {counted(said, 'line')} and reads none."
    return f"From {name}, an eavesdropper reads {read} of {counted(said, 'line')}."


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
