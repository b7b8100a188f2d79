"""What an eavesdropper reads of a flow that is not TLS: plaintext, a disguise that can be undone, or leaks.

The messages are read by **the same receivers as the chat server's** (``lab.chat.report_wire``, ``json_wire``). Where the
flow as a whole is not text, those of its messages that are text are taken; a run of them is read by itself, since what
stands on both sides of something hidden does not belong together.
"""

import io
import itertools
from collections.abc import Iterator
from os.path import commonprefix
from typing import Any, NamedTuple

from lab.chat import events
from lab.chat.events import WireError
from lab.chat.json_wire import FIRST_BYTE, JsonWire
from lab.chat.report_wire import ReportWire
from lab.dissect.tcp.flows import Flow
from lab.dissect.tcp.streams import Stream
from lab.exposure import disguises
from lab.exposure.intercept import Delivery, Intercept, Message

# Of so many random bytes one in 600 looks like text, of four one in 28: those count where the flow has longer ones too.
SURE_LEAK, SHORTEST_LEAK = 8, 4
MOST_ODD = 0.05  # share of characters that are not text, in what still passes for text
KINDS: dict[type, str] = {events.Announce: "announce", events.ListUsers: "list", events.Leave: "leave"}
# How every event of the json wire begins.
EVENT_START = commonprefix(
    [JsonWire().encode(event).decode() for event in (events.Say("x"), events.Join("x"))]
).encode()


class Read(NamedTuple):
    """A piece of one direction; ``plain`` is its payload with any disguise undone."""

    frame: int
    time_ns: int
    plain: bytes
    payload: bytes


def listen_to_plaintext(flow: Flow, found: Intercept) -> list[Delivery]:
    """Add what one flow says to ``found``; return what the server sent over it."""
    endpoint, back = str(flow.initiator), flow.from_responder
    reads = _reads(flow.from_initiator, found)
    if _is_text(b"".join(read.plain for read in reads)):
        is_json = bool(reads) and reads[0].plain.startswith(FIRST_BYTE)
        if is_json:
            found.wire = "json"
        elif reads:
            found.wire = found.wire or "report"
        found.messages += _read_json(endpoint, reads) if is_json else _read_report(endpoint, reads)
        found.read_bytes += len(flow.from_initiator) + len(back)
    elif add_leaks(endpoint, reads, found):
        leaks = [read.plain for read in (*reads, *_reads(back, found)) if _is_leak(read)]
        found.read_bytes += sum(map(len, leaks))
    return [Delivery(piece.time_ns, endpoint, piece.length) for piece in back.pieces]


def _reads(stream: Stream, found: Intercept) -> list[Read]:
    if decoded := disguises.undo_base64(stream.data):
        found.disguise = "base64"
        return [Read(stream.frame_at(end), stream.time_at(end), plain, plain) for end, plain in decoded]
    key = disguises.find_xor_key(stream.data)
    if key:
        found.disguise = f"XOR with the key 0x{key.hex()}"
    reads = []
    for piece in stream.pieces:
        payload = stream.data[piece.offset : piece.offset + piece.length]
        plain = disguises.xor(payload, key, piece.offset) if key else payload
        reads.append(Read(piece.frame_number, piece.time_ns, plain, payload))
    return reads


def _is_text(data: bytes, most_odd: float = MOST_ODD) -> bool:
    """Whether nearly all of it is printable UTF-8; the rest was not understood, and is not claimed."""
    text = data.decode(errors="replace")
    odd = sum(c == "\N{REPLACEMENT CHARACTER}" or not (c.isprintable() or c in "\n\t") for c in text)
    return odd <= len(text) * most_odd


def _is_leak(read: Read) -> bool:
    """Whether it is text in the midst of something else."""
    return len(read.plain) >= SHORTEST_LEAK and _is_text(read.plain, most_odd=0)


def add_leaks(endpoint: str, reads: list[Read], found: Intercept) -> bool:
    """Add the messages of a flow that can be read, although the flow as a whole cannot. Return whether there are any."""
    leaks = [read.plain for read in reads if _is_leak(read)]
    is_sure = any(len(plain) >= SURE_LEAK for plain in leaks)
    is_json = any(plain.startswith(EVENT_START) for plain in leaks)
    found.disguise = found.disguise or "unknown: no text, no TLS"
    if is_sure:
        found.disguise = "unknown, but some messages are in the clear"
        found.wire = found.wire or ("json" if is_json else "report")
    who = None
    for is_leak, run in itertools.groupby(reads, lambda read: is_sure and _is_leak(read)):
        together = list(run)
        if not is_leak:
            messages = [
                Message(read.frame, read.time_ns, endpoint, "other", len(read.payload), read.payload)
                for read in together
            ]
        elif is_json:
            messages = list(_read_json(endpoint, together, who))
        else:
            messages = list(_read_report(endpoint, together, who, named=together[0] is not reads[0]))
        found.messages += messages
        if is_leak and messages:
            who = messages[-1].who
    return is_sure


def _read_report(
    endpoint: str, reads: list[Read], who: str | None = None, named: bool = False
) -> Iterator[Message]:
    """Take one read for one message, as the report's server does; the very first one is the name."""
    wire = ReportWire(server=True, named=named)
    for frame, time_ns, plain, payload in reads:
        (request,) = wire.feed(plain)
        text = plain.decode(errors="replace")
        more: dict[str, Any] = {"kind": "say", "text": text, "text_length": len(plain)}
        if isinstance(request, events.Join):
            who = request.name
            more = {"kind": "name", "text": who}
        elif type(request) in KINDS:
            more = {"kind": KINDS[type(request)], "text": plain.decode()}
        yield Message(frame, time_ns, endpoint, length=len(plain), payload=payload, who=who, **more)


def _read_json(endpoint: str, reads: list[Read], who: str | None = None) -> Iterator[Message]:
    """Read whole lines, however TCP cut them."""
    wire, line = JsonWire(server=True), b""
    for frame, time_ns, plain, payload in reads:
        for part in io.BytesIO(plain):  # up to a newline, and with it
            line += part
            for request in wire.feed(part):
                more: dict[str, Any] = {"kind": "other", "text": line[:-1].decode(errors="replace")}
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
