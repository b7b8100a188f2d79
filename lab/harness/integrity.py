"""Measure what somebody on the path could change in a line unnoticed: every single bit is tried.

    for each bit of the bytes on the wire:  flip it, hand them to a fresh receiver, compare what the server takes

The receivers are the real ones: OpenSSL or the other end of a disguise, and the server's wire behind it. A bit is
changed unnoticed where the server takes the bytes for a request, but not for the one that was sent. An error is
no such change, and neither is a receiver that waits for more.
"""

import ssl
from collections.abc import Callable
from contextlib import ExitStack, suppress

from lab.chat.events import Event, Join, Say, WireError
from lab.chat.wires import WIRES
from lab.harness.tap import RecordingError
from lab.harness.tls_contexts import SERVER_NAME, contexts
from lab.harness.tunnel import KEY_BYTES, Disguise
from lab.harness.variant import Variant

LINE = Say("noon?")
KEY = bytes(range(1, KEY_BYTES + 1))  # of XOR; another one changes nothing
FLIGHTS = 3  # each way, until a handshake of TLS 1.2 is over
RECEIVED_BYTES = 16_384

Change = Callable[[bytes], bytes]
Carry = Callable[
    [bytes, Change], bytes
]  # a request's bytes to the server, whatever is done to those on the wire


def changed_unnoticed(variant: Variant) -> tuple[int, int]:
    """Return how many bits of a line can be flipped unnoticed, and how many it has on the wire of this variant."""
    with ExitStack() as stack:
        carry = _carrier(variant, stack)
        data = WIRES[variant.wire](pad_to=variant.pad_to).encode(LINE)
        flip = _Flip()
        sent = _received(variant, carry(data, flip))
        if not sent:
            raise RecordingError(f"the line does not arrive by {variant.name} even if nobody changes it")
        changed, flip.mask = 0, 1
        while flip.mask < 1 << 8 * flip.length:
            received = _received(variant, carry(data, flip))
            changed += bool(received) and received != sent
            flip.mask <<= 1
    return changed, 8 * flip.length


class _Flip:
    """Flips the bits of ``mask`` in the bytes on the wire; ``length`` is how many these were."""

    mask = length = 0

    def __call__(self, data: bytes) -> bytes:
        self.length = len(data)
        return (int.from_bytes(data, "big") ^ self.mask).to_bytes(self.length, "big")


def _received(variant: Variant, data: bytes) -> list[Event]:
    """Return the requests that the server takes the bytes for; none where it refuses any of them."""
    wire = WIRES[variant.wire](server=True)
    wire.feed(wire.encode(Join("Brandon")))
    found = wire.feed(data) if data else []
    events = [event for event in found if not isinstance(event, WireError)]
    return events if len(events) == len(found) else []


def _carrier(variant: Variant, stack: ExitStack) -> Carry:
    server, client = contexts(stack, variant, None)
    if server and client:
        return lambda data, change: _over_tls(server, client, data, change)
    if kind := variant.disguise:
        return lambda data, change: _disguised(kind, data, change)
    return lambda data, change: change(data)


def _disguised(kind: str, data: bytes, change: Change) -> bytes:
    with suppress(ValueError):  # no base64
        return Disguise(kind, KEY).show(change(Disguise(kind, KEY).hide(data)))
    return b""


def _over_tls(server: ssl.SSLContext, client: ssl.SSLContext, data: bytes, change: Change) -> bytes:
    """Send the bytes over a new connection, because the first record that is refused ends it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=SERVER_NAME)
    for end in (theirs, ours) * FLIGHTS:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    theirs.write(data)
    to_server.write(change(to_server.read()))
    with suppress(ssl.SSLError):  # a refusal, or SSLWantReadError: it waits for more
        return ours.read(RECEIVED_BYTES)
    return b""
