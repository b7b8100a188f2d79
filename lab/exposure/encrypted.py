"""Infer what a TLS flow reveals without any key, from its handshake and the lengths of its records.

Each message is one record here. What TLS adds is known and constant, so what is left of a record's length is the length
of the message, exactly, unless it was padded. What the chat adds to a text is asked of its codecs.

Not supported: TLS that the capture's own secrets could open.
"""

import math

from lab.chat import events
from lab.chat.json_wire import JsonWire
from lab.chat.report_wire import ReportWire
from lab.dissect.tls.certificates import certificate_names
from lab.dissect.tls.messages import TlsSession
from lab.dissect.tls.records import APPLICATION_DATA
from lab.exposure.intercept import Delivery, Intercept, Message
from lab.exposure.plaintext import KINDS

# What TLS adds to a message, beside the record's header of 5 bytes. TLS 1.3: a tag of 16 and the true content type of 1
# (RFC 8446 section 5.2). TLS 1.2 with AES-GCM: an explicit nonce of 8 and a tag of 16 (RFC 5288 section 3).
OVERHEAD_BYTES = {"TLS 1.3": 17, "TLS 1.2": 24}
OVERHEAD_CHACHA_12 = 16  # TLS 1.2 with ChaCha20: the tag alone (RFC 7905 section 2)
CHACHA_12 = (0xCCA8, 0xCCA9, 0xCCAA)
ALERT_BYTES = 2  # close_notify; under TLS 1.3 it looks like any other record
SMALLEST_BLOCK = 16  # bytes; a smaller common divisor of the lengths may be chance

# The report's client opens with these; by their lengths, its wire is known.
REPORT_KINDS = {
    len(ReportWire.encode(event)): KINDS[type(event)] for event in (events.Announce(), events.ListUsers())
}
LEAVE_BYTES = len(ReportWire.encode(events.Leave()))


def json_bytes(event: events.Request | events.Reply) -> int:
    """Return how many bytes the json wire puts around a text of one letter."""
    return len(JsonWire().encode(event)) - 1


def listen_to_tls(session: TlsSession, found: Intercept) -> list[Delivery]:
    """Add what one connection reveals to ``found``; return what the server sent over it."""
    _read_handshake(session, found)
    overhead = OVERHEAD_BYTES.get(session.version_name or "", 0)
    if session.version_name == "TLS 1.2" and session.suite_number in CHACHA_12:
        overhead = OVERHEAD_CHACHA_12
    # A shorter one was not made with the keys: somebody put it into the stream.
    genuine = [one for one in session.records if one.record.length >= overhead]
    sent = [one for one in genuine if one.record.content_type == APPLICATION_DATA]
    data = [one.record for one in sent if one.from_initiator]
    if session.version_name == "TLS 1.3":
        data = data[1:]  # the encrypted end of the client's handshake looks like a message
        if data and data[-1].length - overhead == ALERT_BYTES:
            data = data[:-1]
    lengths = [record.length - overhead for record in data]
    wire = _wire_by_length(lengths)  # by this flow: both wires meet in one room
    padding = _padding(lengths, wire)
    found.wire, found.padding = found.wire or wire, found.padding or padding
    endpoint, lines_sent = str(session.flow.initiator), 0
    last = -1 if session.flow.closing.startswith("still open") else len(data) - 1
    for number, (record, length) in enumerate(zip(data, lengths, strict=True)):
        kind = _kind(number, number == last, length, wire)
        text_length = length if kind == "say" and wire == "report" else None
        if kind == "name" and wire == "report":
            found.name_lengths[endpoint] = length
        if kind == "say" and wire == "json":
            lines_sent += 1  # its id: this client counts its lines
            if not padding:  # the blocks say only how long it is at most
                text_length = length - json_bytes(events.Say("x", id=str(lines_sent)))
        found.messages.append(
            Message(record.frame_number, record.time_ns, endpoint, kind, length, record.payload, text_length)
        )
    # What the server sends before the first message is the encrypted half of the handshake.
    start_ns = data[0].time_ns if data else 0
    answers = [one.record for one in sent if not one.from_initiator and one.record.time_ns > start_ns]
    return [Delivery(record.time_ns, endpoint, record.length - overhead) for record in answers]


def _read_handshake(session: TlsSession, found: Intercept) -> None:
    found.tls_version = session.version_name or found.tls_version
    found.cipher_suite = session.suite_name or found.cipher_suite
    found.server_name = session.server_name or found.server_name
    if not session.keys_found:  # an eavesdropper has none, so what they open does not count
        for certificate in session.certificates:
            if names := certificate_names(certificate):
                found.certificate_names = names


def _wire_by_length(lengths: list[int]) -> str | None:
    """Return the wire: on the report's, the second and third messages are commands of known length."""
    if len(lengths) < 3:
        return None
    return "report" if lengths[1:3] == [*REPORT_KINDS] else "json"


def _padding(lengths: list[int], wire: str | None) -> int:
    """Return the block that all messages are filled up to, or 0: it is the greatest common divisor of the lengths."""
    block = math.gcd(*lengths) if wire == "json" and len(lengths) > 3 else 0
    return block if block >= SMALLEST_BLOCK else 0


def _kind(number: int, is_last: bool, length: int, wire: str | None) -> str:
    """Return the kind of a message by its place and length alone."""
    if number == 0:
        return "name"
    if wire == "report" and number in (1, 2) and length in REPORT_KINDS:
        return REPORT_KINDS[length]
    if is_last and (wire != "report" or length == LEAVE_BYTES):
        return "leave"
    return "say"
