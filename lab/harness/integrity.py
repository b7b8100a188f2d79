"""Measure what somebody on the path could change in a line unnoticed: every single bit is tried.

    for each bit of the bytes on the wire:  flip it, hand them to a fresh receiver, compare what the server takes

The receivers are the real ones: OpenSSL or the other end of a disguise, and the server's wire behind it. A bit is
changed unnoticed where the server takes the bytes for a request, but not for the one that was sent. An error is
no such change, and neither is a receiver that waits for more.
"""

import ssl
from contextlib import ExitStack, suppress

from lab.chat.events import Event, Join, Say, WireError
from lab.chat.wires import WIRES
from lab.harness.tap import RecordingError
from lab.harness.tls_contexts import SERVER_NAME, contexts
from lab.harness.tunnel import KEY_BYTES, Disguise
from lab.harness.variant import Variant

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
LINE = Say("noon?")
KEY = bytes(range(1, KEY_BYTES + 1))  # of XOR; another one changes nothing
FLIGHTS = 3  # each way, until a handshake of TLS 1.2 is over
RECEIVED_BYTES = 16_384


def changed_unnoticed(variant: Variant) -> tuple[int, int]:
    """Return how many bits of a line can be flipped unnoticed, and how many it has on the wire of this variant."""
    with ExitStack() as stack:
        tls = contexts(stack, variant) if variant.tls != "none" else None
        sent, count = _received(variant, tls, 0)
        if not sent:
            raise RecordingError(f"the line does not arrive by {variant.name} even if nobody changes it")
        found = [_received(variant, tls, 1 << bit)[0] for bit in range(count)]
    return sum(bool(events) and events != sent for events in found), count


def _received(variant: Variant, tls: Contexts | None, mask: int) -> tuple[list[Event], int]:
    """Flip the bits of ``mask`` on the way to the server; return the requests that it takes, and how many bits there are.

    If the server refuses any part of what arrives, it takes nothing.
    """
    line = WIRES[variant.wire](pad_to=variant.pad_to).encode(LINE)
    arrived, count = _through_tls(*tls, line, mask) if tls else _through(variant.disguise, line, mask)
    wire = WIRES[variant.wire](server=True)
    wire.feed(wire.encode(Join("Brandon")))
    found = wire.feed(arrived) if arrived else []
    events = [event for event in found if not isinstance(event, WireError)]
    return events if len(events) == len(found) else [], count


def _flip(data: bytes, mask: int) -> tuple[bytes, int]:
    return (int.from_bytes(data, "big") ^ mask).to_bytes(len(data), "big"), 8 * len(data)


def _through(disguise: str | None, data: bytes, mask: int) -> tuple[bytes, int]:
    if not disguise:
        return _flip(data, mask)
    hidden, count = _flip(Disguise(disguise, KEY).hide(data), mask)
    with suppress(ValueError):  # not base64
        return Disguise(disguise, KEY).show(hidden), count
    return b"", count


def _through_tls(server: ssl.SSLContext, client: ssl.SSLContext, data: bytes, mask: int) -> tuple[bytes, int]:
    """Use a new connection, because the first record that is refused ends it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=SERVER_NAME)
    for end in (theirs, ours) * FLIGHTS:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    theirs.write(data)
    record, count = _flip(to_server.read(), mask)
    to_server.write(record)
    with suppress(ssl.SSLError):  # a refusal, or SSLWantReadError: it waits for more
        return ours.read(RECEIVED_BYTES), count
    return b"", count
