"""A learning Ethernet switch in Python: the box that the hosts of the lab room are plugged into.

It does what IEEE 802.1D asks of the simplest bridge. Every port is a raw ``AF_PACKET`` socket, which gives
whole frames as they come off the cable. From each frame's *source* address the switch learns behind which
port that station is; the *destination* address then says where the frame goes: out of the port where that
station was last seen, out of all other ports if it is unknown or a group address (bit 0 of the first byte),
and nowhere if it is behind the port that the frame came from. Nothing in the frame is changed. No spanning
tree: do not make loops.

Each port has two ``CableDirection``s (``cable``), one for each direction of its cable, which may delay, lose or
reorder. A perfect line is left out altogether, so a room without conditions pays nothing for them.

As a program, in a namespace that holds the interfaces:  python -m lab.net.switch PC1=eth1 PC2=eth2
With --control FD it takes requests over that socket, one JSON object a line, and answers each with another.
"""

import argparse
import contextlib
import json
import select
import signal
import socket
import sys
import time

from lab.net.cable import CableDirection, Condition, install
from lab.net.orders import ConditionError, Order

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23  # linux/if_packet.h
SO_RCVBUFFORCE = 33

AGEING_S = 300  # a station not heard of for so long is forgotten (802.1D's default)
TABLE_LIMIT = 4096  # stations; a full table learns no more, and frames to the rest are flooded
FRAME_LIMIT = 65536  # bytes; more than any frame, even with the offloads of the hosts left on
BURST = 64  # frames taken from one port before the next has its turn
SETTLED_S = 0.02  # a host's kernel answers a frame (with an ACK, say) well within this
RECEIVE_BUFFER = 4 << 20  # bytes the kernel may hold for a port while the switch is busy


class Port:
    """One socket of the switch, with the cable that is plugged into it."""

    def __init__(self, name: str, interface: str):
        self.name = name
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # no protocol yet: nothing comes in
        self.socket.setblocking(False)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        with contextlib.suppress(
            OSError
        ):  # older kernels keep that to the machine's root: a smaller buffer then
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.socket.bind((interface, ETH_P_ALL))
        self.cable = {direction: CableDirection(f"{direction} {name}") for direction in ("from", "to")}
        self.lines: dict[str, CableDirection | None] = {
            "from": None,
            "to": None,
        }  # the same, or None while it is perfect
        self.received = self.sent = self.refused = self.overflowed = 0

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, frame) -> None:
        try:
            self.socket.send(frame)
            self.sent += 1
        except OSError:  # the interface is down, or the frame is longer than its MTU
            self.refused += 1

    def line(self, direction: str) -> CableDirection:
        """The line in that direction, from now on on the frames' way."""
        self.lines[direction] = self.cable[direction]
        return self.cable[direction]

    def has_lines(self, now: float) -> bool:
        """Whether any line is on the way; those that have nothing left to do are taken out of it."""
        for direction, line in self.lines.items():
            if line and line.is_idle(now):
                self.lines[direction] = None
        return any(self.lines.values())

    def state(self) -> dict:
        """Counters, in frames. ``overflowed`` came while the switch was too busy and are lost."""
        statistics = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)  # reading sets them to 0
        self.overflowed += int.from_bytes(statistics[4:8], sys.byteorder)
        names = ("received", "sent", "refused", "overflowed")
        return {name: getattr(self, name) for name in names}


class MacTable:
    """Which station is behind which port."""

    def __init__(self):
        self._seen: dict[bytes, tuple[Port, float]] = {}

    def learn(self, address: bytes, port: Port, now: float) -> None:
        if address[0] & 1 == 0 and (address in self._seen or len(self._seen) < TABLE_LIMIT):
            self._seen[address] = port, now

    def find(self, address: bytes, now: float) -> Port | None:
        """The station's port, or None: unknown, a group address, or not heard of for a long time."""
        port, seen = self._seen.get(address, (None, now))
        return port if now - seen < AGEING_S else None

    def __iter__(self):
        return ((address.hex(":"), port.name) for address, (port, _) in self._seen.items())


class Switch:
    """The loop that takes frames from the ports and passes them on, until its control socket is closed."""

    def __init__(self, ports: list[Port], control: socket.socket | None = None):
        self.ports = ports
        self.table = MacTable()
        self.control = control
        self._requests = control.makefile() if control else None
        self._buffer = memoryview(bytearray(FRAME_LIMIT))
        self._conditioned: list[Port] = []
        self._settling = False  # somebody waits to hear that nothing is under way any more

    def run(self) -> None:
        waiting_for = [*self.ports, *([self.control] if self.control else [])]
        while True:
            patience = self._until_next_due()
            ready = select.select(waiting_for, [], [], patience)[0]
            for one in ready:
                if one is not self.control:
                    self._receive(one)
                elif not self._listen():
                    return
            if self._conditioned:
                self._release()
            if self._settling and not ready and patience == SETTLED_S:
                self._settling = False
                self._reply({"settled": True})

    def _receive(self, port: Port) -> None:
        line, buffer = port.lines["from"], self._buffer
        now = time.monotonic()
        for _ in range(BURST):
            try:
                length = port.socket.recv_into(buffer)
            except OSError:  # no more for now; or the interface has gone down, and may come back
                return
            port.received += 1
            if line is None:
                self._forward(buffer[:length], port, now)
            else:
                line.push(bytes(buffer[:length]), time.monotonic())

    def _forward(self, frame: memoryview, port: Port, now: float) -> None:
        self.table.learn(bytes(frame[6:12]), port, now)
        destination = self.table.find(bytes(frame[:6]), now)
        for out in self.ports if destination is None else (destination,):
            if out is port:
                continue
            if out.lines["to"] is None:
                out.send(frame)
            else:
                out.lines["to"].push(bytes(frame), now)

    def _until_next_due(self) -> float | None:
        lines = [line for port in self._conditioned for line in port.lines.values() if line]
        due = [time_s for line in lines if (time_s := line.next_due()) is not None]
        if due:
            return max(0.0, min(due) - time.monotonic())
        return SETTLED_S if self._settling else None

    def _release(self) -> None:
        """Pass on what is due, first into the switch, then out of it."""
        now = time.monotonic()
        for port in self._conditioned:
            if line := port.lines["from"]:
                for frame in line.pop(now):
                    self._forward(memoryview(frame), port, now)
        for port in self._conditioned:
            if line := port.lines["to"]:
                for frame in line.pop(now):
                    port.send(frame)
        self._conditioned = [port for port in self._conditioned if port.has_lines(now)]

    # What the room asks for

    def _listen(self) -> bool:
        """Carry out one request; False when the other end has closed."""
        try:
            request = self._requests.readline()
            if not request:
                return False
            try:
                answer = self.carry_out(json.loads(request))
            except ConditionError as error:
                answer = {"error": str(error)}
        except ConnectionError:
            return False
        return self._settling or self._reply(answer)

    def _reply(self, answer: dict) -> bool:
        try:
            self.control.sendall(json.dumps(answer).encode() + b"\n")
        except ConnectionError:
            return False
        return True

    def carry_out(self, request: dict) -> dict:
        """One request: ``do`` is "condition", "order", "state" or "settle"; raises ConditionError.

        "settle" is answered later, as soon as no frame is under way: neither in a cable nor in a host's answer to one.
        """
        now = time.monotonic()
        ports = [port for port in self.ports if request.get("port") in (None, port.name)]
        if request["do"] == "condition":
            for port in ports:
                port.line(request["direction"]).set(Condition(**request["condition"]))
        elif request["do"] == "order":
            order = Order(**request["order"])
            directions = ("from", "to") if order.action == "cut" else (order.direction,)
            install(order, [port.line(direction) for port in ports for direction in directions], now)
        elif request["do"] == "settle":
            self._settling = True
        self._conditioned = [port for port in self.ports if port.has_lines(now)]
        return self._state() if request["do"] == "state" else {}

    def _state(self) -> dict:
        lines = [line for port in self.ports for line in port.cable.values() if line.counts]
        return {
            "ports": {port.name: port.state() for port in self.ports},
            "table": dict(self.table),
            "counts": {line.name: line.counts for line in lines},
            "actions": [action for line in lines for action in line.actions],
        }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="A learning Ethernet switch between the interfaces of a namespace."
    )
    parser.add_argument("ports", nargs="+", metavar="[NAME=]INTERFACE")
    parser.add_argument("--control", type=int, metavar="FD", help="a stream socket that requests come over")
    arguments = parser.parse_args(argv)
    control = socket.socket(fileno=arguments.control) if arguments.control is not None else None
    if control:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # Ctrl-C is the room's business: it closes the control socket
    named = (port.partition("=") for port in arguments.ports)
    try:
        switch = Switch([Port(name, interface or name) for name, _, interface in named], control)
    except OSError as error:
        print(f"the switch cannot start: {error}", file=sys.stderr)
        return 1
    if control:
        control.sendall(b'{"ready": true}\n')
    with contextlib.suppress(KeyboardInterrupt):
        switch.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
