"""The two wire formats, and how a connection is read through one of them."""

from collections.abc import Iterator

from lab.chat.connection import Connection
from lab.chat.events import Event, WireError
from lab.chat.json_wire import FIRST_BYTE, JsonWire
from lab.chat.report_wire import ReportWire

Wire = ReportWire | JsonWire
WIRES: dict[str, type[Wire]] = {"report": ReportWire, "json": JsonWire}


def wire_for(first: bytes, pad_to: int = 0) -> Wire:
    """Return the server's side of the wire that a client uses, by the first bytes that it has sent."""
    return (JsonWire if first.startswith(FIRST_BYTE) else ReportWire)(server=True, pad_to=pad_to)


def received(connection: Connection, wire: Wire, data: bytes = b"") -> Iterator[Event | WireError]:
    """Yield the events in ``data`` and in what follows it, until the other side closes. Raises OSError."""
    while data := data or connection.receive(wire.read_bytes):
        yield from wire.feed(data)
        data = b""
