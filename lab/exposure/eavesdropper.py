"""The eavesdropper: a capture file in, everything that can be known from it out.

Theory of operation. Every flow is put together (``lab.dissect.tcp.flows``) and its way to the server is looked at:

    TLS records?           count them; take the ciphertext's overhead off their lengths: what is left is the length of
                           a message, exactly, unless it was padded
    base64, or XOR with
    a repeated key?        undo it (``disguises``), then as plaintext
    plaintext              read it with **the same receivers as the chat server** (``lab.chat.report_wire``, ``json_wire``)

Who gets a message shows in the fan-out: what the server sends to whom, after one message came in and before the next one
does. That needs no plaintext either. Nothing is guessed beyond that: where two messages overlap, the fan-out is claimed
for the earlier one, and may be wrong, which the score then counts.

Not supported: flows whose beginning is not in the capture, and TLS that the capture's own secrets could open (the
eavesdropper has no secrets; see ``lab.dissect.tls.session`` for reading with keys).
"""

import bisect
import io
import itertools
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab.chat import events
from lab.chat.events import WireError
from lab.chat.json_wire import JsonWire
from lab.chat.report_wire import COMMANDS, ReportWire
from lab.dissect.tcp.flows import Flow, find_flows
from lab.dissect.tcp.segments import read_segments
from lab.dissect.tcp.streams import Stream
from lab.dissect.tls.records import APPLICATION_DATA, Record, read_records
from lab.dissect.tls.session import certificate_names, open_flow
from lab.exposure import disguises

# What TLS adds to a message, beside the record's header of 5 bytes. TLS 1.3: a tag of 16 and the true content type of 1
# (RFC 8446 section 5.2). TLS 1.2 with AES-GCM: an explicit nonce of 8 and a tag of 16 (RFC 5288 section 3).
OVERHEAD_BYTES = {"TLS 1.3": 17, "TLS 1.2": 24}
OVERHEAD_CHACHA_12 = 16  # TLS 1.2 with ChaCha20: the tag alone (RFC 7905 section 2)
CHACHA_12 = (0xCCA8, 0xCCA9, 0xCCAA)
# Of so many random bytes one in 600 looks like text, of four one in 28: those count where the flow has longer ones too.
SURE_LEAK, SHORTEST_LEAK = 8, 4
MOST_ODD = 0.05  # share of characters that are no text, in what is still taken for text
ALERT_BYTES = 2  # close_notify; under TLS 1.3 it looks like any other record
# What the two wires put around a line's text; both are public.
KINDS = {events.Announce: "announce", events.ListUsers: "list", events.Leave: "leave"}
REPORT_COMMANDS = {
    len(data): KINDS[type(event)] for data, event in COMMANDS.items()
}  # by the length of the command


def _json_bytes(event: events.Event) -> int:
    """How many bytes the json wire puts around a text of one letter."""
    return len(JsonWire().encode(event)) - 1


ECHO_BYTES = _json_bytes(events.Said("", "x")) - _json_bytes(
    events.Say("x")
)  # what comes back is longer, by a name


@dataclass(frozen=True)
class Message:
    """One message on its way to the server. What could not be read or inferred is None.

    ``kind`` is name, say, tell (private), announce, list, leave, other; under TLS it is inferred from place and length.
    ``length`` is the message's length on the chat's own wire, in bytes; ``text_length`` that of a line's text (UTF-8).
    """

    frame: int
    time_ns: int
    endpoint: str  # "address:port" of the user's side
    kind: str
    length: int
    payload: bytes  # as on the wire, the record's content under TLS
    text_length: int | None = None
    who: str | None = None
    text: str | None = None
    to: str | None = None
    password: str | None = None
    recipients: tuple[str, ...] = ()  # endpoints that the server sent something to because of it, in order


@dataclass
class Intercept:
    """All that an eavesdropper has of one capture."""

    messages: list[Message] = field(default_factory=list)
    presence: list[tuple[int, str, str]] = field(default_factory=list)  # (time_ns, endpoint, join or leave)
    server: str | None = None  # "address:port"
    disguise: str | None = None  # "base64", "XOR with the key 0x...", None
    wire: str | None = None  # report or lines, where it shows
    padding: int = 0  # the block, in bytes, that messages seem to be filled up to; 0: none
    tls_version: str | None = None
    cipher_suite: str | None = None
    name_lengths: dict[str, int] = field(
        default_factory=dict
    )  # under TLS: endpoint -> bytes of the user's name
    server_name: str | None = None  # asked for in the ClientHello
    certificate_names: tuple[str, ...] = ()
    carried_bytes: int = 0  # payload of all segments, both directions
    read_bytes: int = 0  # of these, what could be read as conversation

    @property
    def names(self) -> list[str]:
        """The users' names, in order of arrival."""
        return [
            message.text for message in self.messages if message.kind == "name" and message.text is not None
        ]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(who, text) of every line read, private ones too, in order of time."""
        return [
            (message.who, message.text)
            for message in self.messages
            if message.kind in ("say", "tell") and message.text is not None
        ]

    @property
    def said(self) -> list[Message]:
        """The messages that are lines of the conversation, read or not."""
        return [message for message in self.messages if message.kind in ("say", "tell")]


def eavesdrop(path: Path | str) -> Intercept:
    """Read a capture as an eavesdropper does. Raises ``lab.dissect.files.capture_file.CaptureError`` for a bad file."""
    found = Intercept()
    deliveries: list[tuple[int, str, int]] = []  # (time_ns, endpoint, length) of all that the server sent
    for flow in find_flows(read_segments(path)):
        found.carried_bytes += len(flow.from_initiator) + len(flow.from_responder)
        if not flow.handshake and not len(flow.from_initiator):
            continue  # a connection that nobody answered
        found.server = found.server or str(flow.responder)
        found.presence += _presence(flow)
        deliveries += _listen(flow, found)
    found.messages.sort(key=lambda message: (message.time_ns, message.frame))
    found.presence.sort()
    _follow_the_fan_out(found, sorted(deliveries))
    return found


def _presence(flow: Flow) -> list[tuple[int, str, str]]:
    """A user comes with the first segment of a flow and goes with its first FIN or RST."""
    segments, endpoint = flow.segments, str(flow.initiator)
    seen = [(flow.start_ns, endpoint, "join")]
    ending = [row for row in flow.rows if segments.flags[row] & 0x05]
    if ending:
        seen.append((int(segments.time_ns[ending[0]]), endpoint, "leave"))
    return seen


def _listen(flow: Flow, found: Intercept) -> list[tuple[int, str, int]]:
    """Take one flow in; returns what the server sent over it."""
    endpoint = str(flow.initiator)
    if records := read_records(flow.from_initiator):
        return _listen_to_tls(flow, records, found)
    reads = _plain_reads(flow.from_initiator, found)
    if _is_text(b"".join(plain for _, _, plain, _ in reads)):
        found.messages += _read_messages(endpoint, reads, found)
        found.read_bytes += len(flow.from_initiator) + len(flow.from_responder)
    else:
        _listen_for_leaks(flow, reads, found)
    return [(piece.time_ns, endpoint, piece.length) for piece in flow.from_responder.pieces]


# --- plaintext, disguised or not --------------------------------------------------------------------------------------


def _plain_reads(stream: Stream, found: Intercept) -> list[tuple[int, int, bytes, bytes]]:
    """(frame, time_ns, plaintext, payload) of each piece of one direction, any disguise undone."""
    if decoded := disguises.undo_base64(stream.data):
        found.disguise = "base64"
        return [(stream.frame_at(end), stream.time_at(end), plain, plain) for end, plain in decoded]
    key = disguises.find_xor_key(stream.data)
    if key:
        found.disguise = f"XOR with the key 0x{key.hex()}"
    reads = []
    for piece in stream.pieces:
        payload = stream.data[piece.offset : piece.offset + piece.length]
        plain = disguises.xor(payload, key, piece.offset) if key else payload
        reads.append((piece.frame_number, piece.time_ns, plain, payload))
    return reads


def _is_text(data: bytes, most_odd: float = MOST_ODD) -> bool:
    """Whether nearly all of it is UTF-8 that can be printed; what is not was not understood, and is not claimed."""
    text = data.decode(errors="replace")
    odd = sum(c == "\N{REPLACEMENT CHARACTER}" or not (c.isprintable() or c in "\n\t") for c in text)
    return odd <= len(text) * most_odd


def _is_leak(data: bytes) -> bool:
    """Whether it is text in the midst of what is none."""
    return len(data) >= SHORTEST_LEAK and _is_text(data, most_odd=0)


def _listen_for_leaks(flow: Flow, reads: list, found: Intercept) -> None:
    """The stream as a whole could not be read; take those messages that can be."""
    endpoint, who = str(flow.initiator), None
    found.disguise = found.disguise or "unknown: no text, no TLS"
    leaks = [plain for _, _, plain, _ in reads if _is_leak(plain)]
    sure = any(len(plain) >= SURE_LEAK for plain in leaks)
    if sure:
        found.disguise = "unknown, but some messages are in the clear"
        in_lines = any(plain.startswith(b'{"event":') for plain in leaks)
        found.wire = found.wire or ("json" if in_lines else "report")
    for is_leak, run in itertools.groupby(reads, lambda read: sure and _is_leak(read[2])):
        run = list(run)
        if not is_leak:
            found.messages += [
                Message(frame, time_ns, endpoint, "other", len(p), p) for frame, time_ns, _, p in run
            ]
            continue
        # Each run by itself: what stands on both sides of something hidden does not belong together.
        read = (
            _read_lines(endpoint, run, who)
            if in_lines
            else _read_report(endpoint, run, who, run[0] is reads[0])
        )
        found.messages += (messages := list(read))
        who = messages[-1].who if messages else who
    if sure:
        answers = [plain for _, _, plain, _ in _plain_reads(flow.from_responder, found) if _is_leak(plain)]
        found.read_bytes += sum(map(len, [*leaks, *answers]))


def _read_messages(endpoint: str, reads: list, found: Intercept) -> list[Message]:
    if reads and reads[0][2][:1] == b"{":
        found.wire = "json"
        return list(_read_lines(endpoint, reads))
    found.wire = found.wire or ("report" if reads else None)
    return list(_read_report(endpoint, reads))


def _read_report(endpoint: str, reads: list, who: str | None = None, from_the_first: bool = True):
    """One read for one message, as the report's server does it; the very first one is the name."""
    wire = ReportWire(server=True, named=not from_the_first)
    for frame, time_ns, plain, payload in reads:
        (request,) = wire.feed(plain)
        more: dict = {}
        match request:
            case events.Join(name):
                who = name
                more = {"kind": "name", "text": name}
            case events.Say() | WireError():
                more = {"kind": "say", "text": plain.decode(errors="replace"), "text_length": len(plain)}
            case events.Announce() | events.ListUsers() | events.Leave():
                more = {"kind": KINDS[type(request)], "text": plain.decode()}
        yield Message(frame, time_ns, endpoint, length=len(plain), payload=payload, who=who, **more)


def _read_lines(endpoint: str, reads: list, who: str | None = None):
    """Whole lines, however they were cut."""
    wire, line = JsonWire(server=True), b""
    for frame, time_ns, plain, payload in reads:
        for part in io.BytesIO(plain):  # up to a newline, and with it
            line += part
            for request in wire.feed(part):
                more: dict = {"kind": "other", "text": line[:-1].decode(errors="replace")}
                match request:
                    case WireError(reason="too_long"):
                        return
                    case events.Join(name, password):
                        who = name
                        more = {"kind": "name", "text": who, "password": password}
                    case events.Say(text):
                        more = {"kind": "say", "text": text, "text_length": len(text.encode())}
                    case events.SayTo(to, text):
                        more = {"kind": "tell", "text": text, "to": to, "text_length": len(text.encode())}
                    case events.ListUsers() | events.Leave():
                        more = {"kind": KINDS[type(request)]}
                yield Message(frame, time_ns, endpoint, length=len(line), payload=payload, who=who, **more)
                line = b""


# --- TLS --------------------------------------------------------------------------------------------------------------


def _listen_to_tls(flow: Flow, records: list[Record], found: Intercept) -> list[tuple[int, str, int]]:
    session = open_flow(flow)
    version = session.version_name
    found.tls_version = version or found.tls_version
    found.cipher_suite = session.suite_name or found.cipher_suite
    found.server_name = session.server_name or found.server_name
    if not session.keys_found:  # an eavesdropper has none, so what they open does not count
        for certificate in session.certificates:
            if names := certificate_names(certificate):
                found.certificate_names = names.alternative_names
    overhead = OVERHEAD_BYTES.get(version, 0)
    if version == "TLS 1.2" and session.suite_number in CHACHA_12:
        overhead = OVERHEAD_CHACHA_12
    data = [record for record in records if record.content_type == APPLICATION_DATA]
    if version == "TLS 1.3":
        data = data[1:]  # the encrypted end of the client's handshake looks like a message and is none
    lengths = [record.length - overhead for record in data]
    if version == "TLS 1.3" and lengths and lengths[-1] == ALERT_BYTES:
        data, lengths = data[:-1], lengths[:-1]
    spoken = _wire_by_length(lengths)  # by this flow: both wires meet in one room
    padding = _padding(lengths, spoken)
    found.wire, found.padding = found.wire or spoken, found.padding or padding
    endpoint, lines_sent = str(flow.initiator), 0
    for number, (record, length) in enumerate(zip(data, lengths, strict=True)):
        kind, text_length = _infer(number, len(data), length, spoken)
        if kind == "say" and spoken == "json":
            lines_sent += 1  # its id: this client counts its lines
            text_length = length - _json_bytes(events.Say("x", id=str(lines_sent)))
        if padding:
            text_length = None  # the blocks say only how long it is at the most
        message = Message(
            record.frame_number, record.time_ns, endpoint, kind, length, record.payload, text_length
        )
        found.messages.append(message)
    # What the server sends before the first message is the encrypted half of the handshake.
    start_ns = data[0].time_ns if data else 0
    answers = [
        record
        for record in read_records(flow.from_responder)
        if record.content_type == APPLICATION_DATA and record.time_ns > start_ns
    ]
    return [(record.time_ns, endpoint, record.length - overhead) for record in answers]


def _wire_by_length(lengths: list[int]) -> str | None:
    """Which wire is spoken: on the report's, the second and third messages are commands of known length."""
    if len(lengths) < 3:
        return None
    return "report" if lengths[1:3] == [21, 18] else "json"


def _padding(lengths: list[int], spoken: str | None) -> int:
    """The block to whose multiples all messages are filled up, or 0: their greatest common divisor gives it away."""
    block = math.gcd(*lengths) if spoken == "json" and len(lengths) > 3 else 0
    return block if block >= 16 else 0


def _infer(number: int, count: int, length: int, spoken: str | None) -> tuple[str, int | None]:
    """(kind, length of the text) of a message that is known by its place and length alone."""
    if number == 0:
        return "name", None
    if spoken == "report":
        if number in (1, 2) and length in REPORT_COMMANDS:
            return REPORT_COMMANDS[length], None
        if number == count - 1 and length == 5:
            return "leave", None
        return "say", length
    if number == count - 1:
        return "leave", None
    return "say", None


# --- who gets what ----------------------------------------------------------------------------------------------------


def _follow_the_fan_out(found: Intercept, deliveries: list[tuple[int, str, int]]) -> None:
    """Fill in the recipients of each line: whom the server sends to between this message and the next."""
    spoken = {message.endpoint: "report" for message in found.messages if message.kind == "announce"}
    times = [time_ns for time_ns, _, _ in deliveries]
    for number, message in enumerate(found.messages):
        if message.kind not in ("say", "tell"):
            continue
        following = found.messages[number + 1].time_ns if number + 1 < len(found.messages) else float("inf")
        caused = deliveries[
            bisect.bisect_right(times, message.time_ns) : bisect.bisect_left(times, following)
        ]
        recipients = {endpoint for _, endpoint, _ in caused} - {message.endpoint}
        found.messages[number] = message = replace(message, recipients=tuple(sorted(recipients)))
        hidden_lines = message.text is None and message.endpoint not in spoken
        if hidden_lines and len(recipients) == 1 and _others_present(found, message) > 1:
            found.messages[number] = _as_private(message, found)
        elif hidden_lines and not found.padding:
            echo = next((length for _, endpoint, length in caused if endpoint == message.endpoint), None)
            if echo is not None:
                found.name_lengths.setdefault(message.endpoint, echo - message.length - ECHO_BYTES)


def _others_present(found: Intercept, message: Message) -> int:
    """How many others were there when the message was sent."""
    there = set()
    for time_ns, endpoint, action in found.presence:
        if time_ns < message.time_ns:
            (there.add if action == "join" else there.discard)(endpoint)
    return len(there - {message.endpoint})


def _as_private(message: Message, found: Intercept) -> Message:
    """A line that one of several got: a private one, which also names its receiver, so that its text is shorter."""
    [receiver] = message.recipients
    text_length = None
    if message.text_length is not None and receiver in found.name_lengths:
        more = _json_bytes(events.SayTo("", "x")) - _json_bytes(events.Say("x"))
        text_length = message.text_length - more - found.name_lengths[receiver]
    return replace(message, kind="tell", text_length=text_length)
