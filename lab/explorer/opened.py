"""Inside a TLS record: its bytes after decryption, field by field."""

from lab.dissect.fields.tls import dissect_handshake
from lab.dissect.fields.tree import Cursor, Field, group
from lab.dissect.tls import names
from lab.dissect.tls.direction import TAG
from lab.dissect.tls.messages import OpenRecord
from lab.dissect.tls.records import ALERT, APPLICATION_DATA, HANDSHAKE
from lab.exposure.chat_fields import name_parts

ALERT_SOURCE = "RFC 8446 section 6"


def handshake_types(one: OpenRecord) -> list[int]:
    """Return the types of the handshake messages in a record whose content can be read."""
    if one.content_type != HANDSHAKE or not one.plaintext:
        return []
    messages = _messages(Cursor(one.plaintext, 0, len(one.plaintext)))
    return [message.get("tls.handshake.type") for message in messages]


def _messages(cursor: Cursor) -> list[Field]:
    """Take the handshake messages that are whole; a part of one is left."""
    fields = []
    while cursor.left >= 4 and cursor.data[cursor.byte] in names.HANDSHAKES:
        size = int.from_bytes(cursor.data[cursor.byte + 1 : cursor.byte + 4], "big")
        if size > cursor.left - 4:
            break
        fields.append(dissect_handshake(cursor.part(4 + size)))
    return fields


def opened_tree(one: OpenRecord, is_tls_13: bool) -> tuple[bytes, Field]:
    """Return the bytes inside an opened record and their tree, its leaves without a gap.

    In TLS 1.3 the content is followed by its type, in one byte, and by padding (RFC 8446 section 5.2).
    """
    assert one.plaintext is not None
    content = one.plaintext
    if is_tls_13:
        content = (content + bytes([one.content_type])).ljust(one.record.length - TAG, b"\0")
    cursor = Cursor(content, 0, len(one.plaintext))
    fields: list[Field] = []
    if one.content_type == HANDSHAKE:
        fields += _messages(cursor)
    elif one.content_type == ALERT and cursor.left == 2:
        fields.append(
            cursor.run(1, "Level", "1 is a warning, 2 is fatal: the connection ends.", source=ALERT_SOURCE)
        )
        fields.append(
            cursor.run(1, "Description", "The reason for the alert, as a number.", source=ALERT_SOURCE)
        )
    elif one.content_type == APPLICATION_DATA and cursor.left:
        ports = (1, 0) if one.from_initiator else (0, 1)  # the initiator is the client
        if named := name_parts(one.plaintext, *ports):
            fields += [
                cursor.run(part.length, part.name, part.meaning, source=part.source) for part in named[1]
            ]
            for field, part in zip(fields, named[1], strict=True):
                field.text = part.text
    if cursor.left:
        fields.append(
            cursor.rest("Content", "Data, or a part of a handshake message that spans several records.")
        )
    cursor.end = len(content)
    if is_tls_13:
        meaning = "The true content type: on the wire every protected record says 23."
        kind = cursor.run(
            1, "Content type", meaning, key="tls.record.content_type", source="RFC 8446 section 5.2"
        )
        kind.text = f"{one.content_type} ({one.name})"
        fields.append(kind)
        if cursor.left:
            fields.append(
                cursor.rest("Padding", "Zeros that hide the content's length.", source="RFC 8446 section 5.4")
            )
    layers: list[Field] = [group(one.name, fields)] if fields else []
    return content, Field("Opened record", 0, len(content) * 8, children=layers)
