"""The TLS of a capture: its records, what the keys open inside them, and messages that go over several frames.

Bytes that do not stand in a frame as they are shown have a tree of their own, an *opening*. ``kinds`` are types of
handshake messages; the ``parts`` of a message are [first byte, frame].
"""

import base64
from collections import defaultdict
from typing import Any

from lab.dissect.fields.tls import dissect_fragment
from lab.dissect.fields.tree import Cursor, Field, group
from lab.dissect.tcp.flows import Flow
from lab.dissect.text import printable
from lab.dissect.tls.direction import TAG, TLS_13
from lab.dissect.tls.messages import OpenRecord, TlsMessage, TlsSession
from lab.dissect.tls.records import ALERT, APPLICATION_DATA, HANDSHAKE
from lab.explorer.book import LONGEST_TEXT, Book, Data
from lab.exposure.chat_fields import name_parts


def tls_data(sessions: list[TlsSession | None], book: Book) -> Data:
    """Return the TLS records of a capture, and the openings by the number of the frame in which each is complete.

    A record ``begins`` in one frame and is complete in ``frame``; TLS 1.3 has ``hidden`` its true type. ``inner``
    needs keys; ``whole`` are messages in the clear, of several records or frames.
    """
    records: list[Data] = []
    inner: dict[str, list[Data]] = defaultdict(list)
    whole: dict[str, list[Data]] = defaultdict(list)
    for number, session in enumerate(sessions):
        if session is None:
            continue
        again = _read_again(session.flow)
        for one in session.records:
            record, is_13 = one.record, session.version == TLS_13
            on_wire = {
                "type": record.content_type,
                "hidden": one.encrypted and is_13,
                "version": record.version,
                "length": record.length,
                "begins": record.frame_numbers[0],
                "kinds": [] if one.encrypted else _handshake_types(one),
            }
            frames = record.frame_number, *again[record.frame_number]
            records += [on_wire | {"frame": frame} for frame in frames]
            if one.encrypted and one.plaintext is not None:
                there = inner[str(record.frame_number)]
                content, tree, info = _opened_tree(one, is_13)
                title = f"inside record {len(there) + 1}: {one.name}, {len(content)} bytes"
                about = {"type": one.content_type, "kinds": _handshake_types(one), "info": info}
                about |= {"flow": number, "way": 1 - one.from_initiator}
                there.append(_opening(title, book.tree(tree), content, about))
        for message in session.messages:
            parts = _parts(message)
            if not message.encrypted and (len(message.places) > 1 or len(parts) > 1):
                title = f"{message.name} of frames {', '.join(str(frame) for _, frame in parts)}"
                tree = group("Handshake", [message.tree], meaning="One message, which several frames carry.")
                about = {"type": HANDSHAKE, "kinds": [message.kind], "parts": parts}
                opening = _opening(title, book.tree(group("", [tree])), message.data, about)
                whole[str(message.frame_number)].append(opening)
    return {"records": records, "inner": inner, "whole": whole}


def _opening(title: str, tree: list[Any], content: bytes, about: Data) -> Data:
    return {"title": title, "tree": tree, "bytes": base64.b64encode(content).decode()} | about


def _read_again(flow: Flow) -> dict[int, list[int]]:
    """Return the fast retransmissions of a flow, by the frame that they repeat: Wireshark reads TLS in them again."""
    segments, rows = flow.segments, flow.rows
    found: dict[int, list[int]] = defaultdict(list)
    for event in flow.events:
        if event.name == "fast_retransmission":
            same = segments.seq[rows] == segments.seq[event.row]
            same &= segments.direction[rows] == segments.direction[event.row]
            first = rows[same & (segments.payload_length[rows] > 0)][0]
            if first != event.row:
                found[int(segments.number[first])].append(event.number)
    return found


def _parts(message: TlsMessage) -> list[tuple[int, int]]:
    """Return where the bytes of a message are: (first byte, frame)."""
    frames = [message.frame_of(byte) for byte in range(len(message.data))]
    return [(byte, frame) for byte, frame in enumerate(frames) if not byte or frame != frames[byte - 1]]


def _handshake_types(one: OpenRecord) -> list[int]:
    """Return the types of the handshake messages in a record whose content can be read."""
    if one.content_type != HANDSHAKE or not one.plaintext:
        return []
    fields = dissect_fragment(Cursor(one.plaintext, 0, len(one.plaintext)), HANDSHAKE)
    return [field.value for field in fields if field.key == "tls.handshake"]


def _opened_tree(one: OpenRecord, is_tls_13: bool) -> tuple[bytes, Field, str]:
    """Return the bytes inside an opened record, their tree (its leaves leave no gap), and a line about them.

    In TLS 1.3 the content is followed by its type, in one byte, and by padding (RFC 8446 section 5.2).
    """
    assert one.plaintext is not None
    content = one.plaintext
    if is_tls_13:
        content = (content + bytes([one.content_type])).ljust(one.record.length - TAG, b"\0")
    cursor = Cursor(content, 0, len(one.plaintext))
    fields: list[Field] = []
    if one.content_type == APPLICATION_DATA and cursor.left:
        ports = (1, 0) if one.from_initiator else (0, 1)  # the initiator is the client
        _, parts = name_parts(one.plaintext, *ports) or ("", ())
        for part in parts:
            fields.append(cursor.run(part.length, part.name, part.meaning, source=part.source))
            fields[-1].text = part.text
    elif one.content_type in (HANDSHAKE, ALERT):
        fields += dissect_fragment(cursor, one.content_type)
    if cursor.left:
        fields.append(cursor.rest("Content", "Bytes that the application did not name."))
    joint = "" if one.content_type == APPLICATION_DATA else ", "
    info = joint.join(field.name if field.key == "tls.handshake" else field.text for field in fields)
    cursor.end = len(content)
    if is_tls_13:
        meaning = "The true content type: on the wire every protected record says 23."
        source = "RFC 8446 section 5.2"
        kind = cursor.run(1, "Content type", meaning, key="tls.record.content_type", source=source)
        kind.text = f"{one.content_type} ({one.name})"
        fields.append(kind)
        if cursor.left:
            hides = "Zeros that hide the content's length."
            fields.append(cursor.rest("Padding", hides, source="RFC 8446 section 5.4"))
    children = [group(one.name, fields)] if fields else []
    tree = Field("Opened record", 0, len(content) * 8, children=children)
    return content, tree, printable(info[:LONGEST_TEXT])
