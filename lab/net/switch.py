"""A learning Ethernet switch in Python: the box that the hosts of a LAN are plugged into.

It does what IEEE 802.1D asks of the simplest bridge. Every port is a raw ``AF_PACKET`` socket, which delivers whole
frames as they come off the cable. From each frame's *source* address the switch learns behind which port that station
is. The *destination* address says where the frame goes: out of the port where that station was last seen, out of all
other ports if it is unknown or a group address (bit 0 of the first byte), and nowhere if it is behind the port that the
frame came from. Nothing in the frame is changed. There is no spanning tree: do not make loops.

Each port has two ``CableDirection``s (``cable``), one for each direction of its cable, which may delay, lose or reorder.
A perfect one is bypassed, so a LAN without conditions pays nothing for them.

As a program, in a namespace that holds the interfaces: ``python -m lab.net.switch 5 PC1 PC2``. It takes calls over the
socket with that descriptor (``host_agent``), and ends when the socket is closed.
"""

import contextlib
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from lab.net.cable import CableDirection, Condition, install
from lab.net.host_agent import Channel, answer
from lab.net.orders import Order
from lab.net.port_guard import Station

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23  # linux/if_packet.h
SO_RCVBUFFORCE = 33

AGEING_S = 300  # a station not heard of for so long is forgotten (802.1D's default)
TABLE_LIMIT = 4096  # stations; a full table learns no more, and frames to the rest are flooded
FRAME_LIMIT = 65536  # bytes; more than any frame, even with the offloads of the hosts left on
BURST = 64  # frames taken from one port before the next has its turn
SETTLED_S = 0.02  # a host's kernel answers a frame (with an ACK, say) well within this
RECEIVE_BUFFER = 4 << 20  # bytes the kernel may hold for a port while the switch is busy
WAYS = ("from", "to")


class Port:
    """One socket of the switch, with the cable that is plugged into it."""

    def __init__(self, name: str):
        self.name = name
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # no protocol yet: nothing comes in
        self.socket.setblocking(False)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        # Older kernels reserve this for the machine's root: the buffer is smaller then.
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.socket.bind((name, ETH_P_ALL))
        self.cable = {way: CableDirection(f"{way} {name}") for way in WAYS}
        self.active: dict[str, CableDirection | None] = dict.fromkeys(WAYS)  # None while it is perfect
        self.received = self.sent = self.refused = self.overflowed = 0

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, frame: bytes | memoryview) -> None:
        try:
            self.socket.send(frame)
            self.sent += 1
        except OSError:  # the interface is down, or the frame is longer than its MTU
            self.refused += 1

    def activate(self, way: str) -> CableDirection:
        """Return the direction of the cable, which frames pass from now on."""
        self.active[way] = self.cable[way]
        return self.cable[way]

    def is_conditioned(self, now: float) -> bool:
        """Return whether frames pass any direction of the cable; those with nothing left to do are bypassed."""
        for way, direction in self.active.items():
            if direction and direction.is_idle(now):
                self.active[way] = None
        return any(self.active.values())

    def state(self) -> dict[str, int]:
        """Return counters, in frames. ``overflowed`` came while the switch was too busy and are lost."""
        statistics = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)  # reading sets them to 0
        self.overflowed += int.from_bytes(statistics[4:8], sys.byteorder)
        return {name: getattr(self, name) for name in ("received", "sent", "refused", "overflowed")}


class MacTable:
    """The switch's memory of the port that each station is behind."""

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[Port, float]] = {}

    def learn(self, address: bytes, port: Port, now: float) -> None:
        if address[0] & 1 == 0 and (address in self._seen or len(self._seen) < TABLE_LIMIT):
            self._seen[address] = port, now

    def find(self, address: bytes, now: float) -> Port | None:
        """Return the station's port, or None: unknown, a group address, or not heard of for a long time."""
        port, seen = self._seen.get(address, (None, now))
        return port if now - seen < AGEING_S else None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((address.hex(":"), port.name) for address, (port, _) in self._seen.items())


class Switch:
    """The loop that takes frames from the ports and passes them on, until its control socket is closed."""

    def __init__(self, ports: list[Port], control: Channel):
        self.ports = ports
        self.table = MacTable()
        self.control = control
        self._buffer = memoryview(bytearray(FRAME_LIMIT))
        self._conditioned: list[Port] = []
        self._settling: dict[str, Any] | None = None  # the call that waits until nothing is under way
        self._mirror: list[Port] = []  # the ports that get a copy of every frame
        self._guarded: dict[str, Station] = {}  # by port, the one station that may send there

    def run(self) -> None:
        waiting_for: list[Port | Channel] = [*self.ports, self.control]
        while True:
            wait_s = self._until_next_due()
            ready = select.select(waiting_for, [], [], wait_s)[0]
            for one in ready:
                if isinstance(one, Port):
                    self._receive(one)
                elif not self._take_call():
                    return
            if self._conditioned:
                self._release()
            if self._settling and not ready and wait_s == SETTLED_S:
                request, self._settling = self._settling, None
                answer(self.control, request, self)

    def _receive(self, port: Port) -> None:
        direction, buffer = port.active["from"], self._buffer
        now = time.monotonic()
        for _ in range(BURST):
            try:
                length = port.socket.recv_into(buffer)
            except OSError:  # no more for now; or the interface has gone down, and may come back
                return
            port.received += 1
            if direction is None:
                self.forward(buffer[:length], port, now)
            else:
                direction.push(bytes(buffer[:length]), time.monotonic())

    def forward(self, frame: memoryview, port: Port, now: float) -> None:
        if self._guarded and not self._guarded[port.name].may_send(frame):
            return
        self.table.learn(bytes(frame[6:12]), port, now)
        destination = self.table.find(bytes(frame[:6]), now)
        for out in self.ports if destination is None else dict.fromkeys((destination, *self._mirror)):
            if out is port:
                continue
            if direction := out.active["to"]:
                direction.push(bytes(frame), now)
            else:
                out.send(frame)

    def _until_next_due(self) -> float | None:
        active = [direction for port in self._conditioned for direction in port.active.values() if direction]
        due = [time_s for direction in active if (time_s := direction.next_due()) is not None]
        if due:
            return max(0.0, min(due) - time.monotonic())
        return SETTLED_S if self._settling else None

    def _release(self) -> None:
        """Pass on what is due, first into the switch, then out of it."""
        now = time.monotonic()
        for port in self._conditioned:
            if direction := port.active["from"]:
                for frame in direction.pop(now):
                    self.forward(memoryview(frame), port, now)
        for port in self._conditioned:
            if direction := port.active["to"]:
                for frame in direction.pop(now):
                    port.send(frame)
        self._conditioned = [port for port in self._conditioned if port.is_conditioned(now)]

    # Calls

    def _take_call(self) -> bool:
        """Carry out one call; return False when the other end has closed."""
        try:
            if (received := self.control.receive()) is None:
                return False
            if received[0]["call"] == "settle":  # answered as soon as no frame is under way
                self._settling = received[0]
            else:
                answer(self.control, received[0], self)
        except ConnectionError:
            return False
        return True

    def condition(self, port: str | None, direction: str, condition: dict[str, Any]) -> None:
        """Put a condition in force on one port's cable (None: on every one). Raises ConditionError."""
        for one in self._named(port):
            one.activate(direction).set(Condition(**condition))
        self._find_conditioned()

    def order(self, port: str | None, order: dict[str, Any]) -> None:
        """Put an order in force on one port's cable (None: on every one). Raises ConditionError."""
        installed = Order(**order)
        ways = WAYS if installed.action == "cut" else (installed.direction,)
        directions = [one.activate(way) for one in self._named(port) for way in ways]
        install(installed, directions, time.monotonic())
        self._find_conditioned()

    def mirror(self, port: str) -> None:
        """Send a copy of every frame to a port, as real switches do for a monitor."""
        self._mirror = self._named(port)

    def guard(self, stations: dict[str, Any]) -> None:
        """Take from each port only what comes from its own station, by port [MAC, addresses]; {} switches it off."""
        self._guarded = {port: Station(*one) for port, one in stations.items()}

    def settle(self) -> None:
        """Return: called when no frame is under way, neither on a cable nor in a host's answer to one."""

    def state(self) -> dict[str, Any]:
        cables = [direction for port in self.ports for direction in port.cable.values() if direction.counts]
        return {
            "ports": {port.name: port.state() for port in self.ports},
            "table": dict(self.table),
            "counts": {direction.name: direction.counts for direction in cables},
            "actions": [action for direction in cables for action in direction.actions],
        }

    def _named(self, name: str | None) -> list[Port]:
        return [port for port in self.ports if name in (None, port.name)]

    def _find_conditioned(self) -> None:
        now = time.monotonic()
        self._conditioned = [port for port in self.ports if port.is_conditioned(now)]


def main(arguments: list[str]) -> int:
    control = Channel(socket.socket(fileno=int(arguments[0])))
    try:
        switch = Switch([Port(name) for name in arguments[1:]], control)
    except OSError as error:
        print(f"the switch cannot start: {error}", file=sys.stderr)
        return 1
    switch.run()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the room, which closes the socket
    sys.exit(main(sys.argv[1:]))
