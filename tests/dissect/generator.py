"""Captures made from a seed: a TCP conversation in which, step by step, something happens.

``conversation(seed)`` gives (time_ns, frame bytes, original length) and the link type. Everything that the
network can do to a capture is a step here: loss before and behind the capture point, retransmissions whole
and in part, reordering, keep-alives, zero windows and probes, old port numbers that come back, the
wrap-around of sequence numbers, and all that can stand around a segment: VLAN tags, IP options, IPv6
extension headers, padding, a snap length.
"""

import random
import struct

from tests.dissect import packets
from tests.dissect.packets import ACK, FIN, PSH, RST, SYN

LINKS = (
    packets.ETHERNET,
    packets.ETHERNET,
    packets.SLL,
    packets.SLL2,
    packets.NULL,
    packets.LOOP,
    packets.RAW,
)


class Side:
    def __init__(self, rng, address, port):
        self.address, self.port = address, port
        # Half of all conversations wrap around within their first few thousand bytes.
        self.isn = rng.choice([rng.randrange(1, 2**32), 2**32 - rng.randrange(1, 4000)])
        self.next = 0  # relative: 0 is the SYN, 1 the first byte
        self.window = rng.choice([64240, 65535, 502, 8192])
        self.sent = []  # (relative, length) of what has been sent, lost or not
        self.salt = rng.randrange(2**30)
        self.past = []  # (isn, salt) of earlier connections

    def data(self, start: int, length: int) -> bytes:
        """The bytes of this side's stream from relative number START on: always the same ones."""
        return self.data_of(self.salt, start, length)

    @staticmethod
    def data_of(salt: int, start: int, length: int) -> bytes:
        return bytes((i * 7 + salt + (i >> 8)) & 0xFF for i in range(start, start + length))


class Conversation:
    def __init__(self, seed: int, link=None):
        self.rng = rng = random.Random(seed)
        self.link = LINKS[seed % len(LINKS)] if link is None else link
        self.v6 = rng.random() < 0.35
        a, b = seed >> 8 & 255, seed & 255
        net = f"fd00:{a:x}:{b:x}::" if self.v6 else f"10.{a}.{b}."
        self.sides = (Side(rng, net + "1", rng.randrange(1024, 65536)), Side(rng, net + "2", 9898))
        self.time = 1_683_600_000_000_000_000 + seed * 10_000_000_000
        self.frames = []
        self.tags = [rng.randrange(1, 4095) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
        self.pad = rng.random() < 0.5
        self.timestamps = rng.random() < 0.4
        self.extensions = self._extensions() if self.v6 and rng.random() < 0.6 else ()
        self.ip_options = bytes.fromhex("0101070704000000") if rng.random() < 0.2 else b""
        self.snap = rng.choice([None, None, None, 96, 80, 70, 60])

    def _extensions(self):
        padding = (0, bytes.fromhex("00010400000000"))
        routing = (43, bytes.fromhex("00fd0000000000"))
        destination = (60, bytes.fromhex("01010c000000000000000000000000"))
        atomic = (44, bytes.fromhex("00000000000007"))
        authentication = (51, bytes.fromhex("0400000000010000000100000000000000000000000000"))
        return tuple(
            one for one in (padding, routing, destination, atomic, authentication) if self.rng.random() < 0.4
        )

    def wait(self):
        self.time += self.rng.choice(
            [20_000, 200_000, 1_000_000, 2_500_000, 15_000_000, 45_000_000, 320_000_000]
        )

    def emit(self, who, relative, flags, payload=b"", options=b"", window=None, ack=None, captured=True):
        me, peer = self.sides[who], self.sides[1 - who]
        self.wait()
        if not captured:
            return
        if self.timestamps:
            ticks = self.time // 1_000_000 & 0xFFFFFFFF
            options += b"\x01\x01" + struct.pack(">BBII", 8, 10, ticks, max(0, ticks - 5))
        ack_number = 0 if not flags & ACK else peer.isn + (peer.next if ack is None else ack)
        segment = packets.tcp(
            *(me.address, peer.address, me.port, peer.port, me.isn + relative, ack_number, flags),
            *(me.window if window is None else window, options, payload),
        )
        self.send(me.address, peer.address, segment)

    def send(self, source, destination, body, protocol=6):
        ident = self.rng.randrange(65536)
        if self.v6:
            packet = packets.ipv6(source, destination, body, protocol, self.extensions)
        else:
            packet = packets.ipv4(source, destination, body, protocol, self.ip_options, ident)
        frame = packets.link(self.link, packet, self.tags, self.pad)
        self.frames.append((self.time, frame[: self.snap], len(frame)))

    # --- steps ---

    def syn_options(self):
        rng, options = self.rng, b""
        if rng.random() < 0.9:
            options += struct.pack(">BBH", 2, 4, rng.choice([1460, 1440, 65495]))
        if rng.random() < 0.7:
            options += b"\x01" + struct.pack(">BBB", 3, 3, rng.choice([0, 2, 7, 14, 15]))
        if rng.random() < 0.7:
            options += b"\x04\x02\x01\x01"
        return options

    def handshake(self):
        rng = self.rng
        client, server = self.sides
        if rng.random() < 0.15:  # the capture begins in the middle
            client.next = server.next = 1 + rng.randrange(5000)
            return
        options = self.syn_options()
        for _ in range(rng.choice([1, 1, 1, 2])):
            self.emit(0, 0, SYN, options=options, captured=rng.random() < 0.95)
        client.next = 1
        options = self.syn_options()
        for _ in range(rng.choice([1, 1, 1, 2])):
            self.emit(1, 0, SYN | ACK, options=options, captured=rng.random() < 0.95)
        server.next = 1
        self.emit(0, 1, ACK, captured=rng.random() < 0.9)

    def new_data(self, who, captured=True, length=None):
        me = self.sides[who]
        length = length or self.rng.choice([1, 2, 5, 15, 40, 200, 900])
        self.emit(who, me.next, PSH | ACK, me.data(me.next, length), captured=captured)
        me.sent.append((me.next, length))
        me.next += length

    def acknowledge(self, who):
        self.emit(who, self.sides[who].next, ACK)

    def retransmit(self, who):
        me = self.sides[who]
        if not me.sent:
            return
        start, length = self.rng.choice(me.sent[-6:])
        kind = self.rng.random()
        if kind < 0.25 and length > 2:  # a part of it
            start, length = start + 1, length - 1
        elif kind < 0.5:  # it, and what came behind it, in one
            length = min(me.next - start, 1400)
        if length:
            self.emit(who, start, PSH | ACK, me.data(start, length))

    def overtake(self, who):
        me = self.sides[who]
        first, second = self.rng.choice([3, 60, 500]), self.rng.choice([4, 70, 400])
        self.emit(who, me.next + first, PSH | ACK, me.data(me.next + first, second))
        self.emit(who, me.next, PSH | ACK, me.data(me.next, first))
        me.sent += [(me.next, first), (me.next + first, second)]
        me.next += first + second

    def lost_and_found(self, who):
        """A segment lost on the way: duplicate ACKs (with SACK), then it comes again."""
        me, peer = self.sides[who], self.sides[1 - who]
        hole, after = me.next, 120
        peer_ack = me.next
        me.next += 50
        for i in range(self.rng.choice([1, 3, 4])):
            self.emit(who, me.next, PSH | ACK, me.data(me.next, after))
            me.next += after
            edges = struct.pack(">II", (me.isn + hole + 50) % 2**32, (me.isn + me.next) % 2**32)
            options = b"\x01\x01\x05\x0a" + edges if self.rng.random() < 0.7 else b""
            self.emit(1 - who, peer.next, ACK, ack=peer_ack, options=options if i else b"")
        if self.rng.random() < 0.8:
            self.emit(who, hole, PSH | ACK, me.data(hole, 50))
            self.acknowledge(1 - who)

    def keep_alive(self, who):
        me = self.sides[who]
        payload = me.data(me.next - 1, 1) if me.next > 1 and self.rng.random() < 0.5 else b""
        self.emit(who, me.next - 1, ACK, payload)
        self.emit(1 - who, self.sides[1 - who].next, ACK)

    def zero_window(self, who):
        me, peer = self.sides[who], self.sides[1 - who]
        self.emit(who, me.next, ACK, window=0)
        for _ in range(self.rng.choice([0, 1, 2])):
            self.emit(1 - who, peer.next, ACK, peer.data(peer.next, 1))
            self.emit(who, me.next, ACK, window=0)
        self.emit(who, me.next, ACK)
        if self.rng.random() < 0.7:
            self.new_data(1 - who)

    def fill_window(self, who):
        self.emit(1 - who, self.sides[1 - who].next, ACK, window=3)
        self.new_data(who, length=self.rng.choice([3, 384]))

    def noise(self, _who):
        """What is no TCP: no row may come of it."""
        client, server = self.sides
        self.wait()
        self.send(client.address, server.address, struct.pack(">HHHH", 5353, 5354, 12, 0) + b"mdns", 17)

    def close(self):
        rng, who = self.rng, self.rng.randrange(2)
        me, peer = self.sides[who], self.sides[1 - who]
        kind = rng.choice(["fin", "fin", "rst", "half", "open", "fin rst", "fin with data"])
        if kind.startswith(("fin", "half")):
            payload = me.data(me.next, 7) if "data" in kind else b""
            self.emit(who, me.next, FIN | ACK, payload)
            me.next += 1 + len(payload)
            self.emit(1 - who, peer.next, ACK)
            if rng.random() < 0.5:
                self.new_data(1 - who)
                self.emit(who, me.next, ACK)
        if kind.startswith("fin"):
            self.emit(1 - who, peer.next, FIN | ACK)
            peer.next += 1
            if rng.random() < 0.3:
                self.emit(1 - who, peer.next - 1, FIN | ACK)
            self.emit(who, me.next, ACK)
        if kind.endswith("rst"):
            self.emit(who, me.next, rng.choice([RST, RST | ACK]))

    def again(self):
        """The same endpoints once more."""
        for side in self.sides:
            side.past.append((side.isn, side.salt))
            side.isn, side.next, side.sent = self.rng.randrange(1, 2**32), 0, []
            side.salt = self.rng.randrange(2**30)

    def truth(self, side: Side, seq: int, length: int) -> bytes:
        """What SIDE ever sends under the sequence number SEQ of its present or an earlier connection."""
        for isn, salt in side.past + [(side.isn, side.salt)]:
            relative = (seq - isn) % 2**32
            if relative < 2**20:
                return Side.data_of(salt, relative, int(length))
        raise LookupError(seq)

    def play(self):
        rng = self.rng
        for round_ in range(rng.choice([1, 1, 1, 2])):
            if round_:
                self.again()
            self.handshake()
            for _ in range(rng.randrange(4, 22)):
                step = rng.choices(
                    (self.new_data, self.acknowledge, self.retransmit, self.overtake, self.lost_and_found,
                     self.keep_alive, self.zero_window, self.fill_window, self.noise, self.unseen),
                    (10, 5, 3, 2, 2, 1, 1, 1, 1, 1),
                )[0]  # fmt: skip
                step(rng.randrange(2))
            self.close()
        return self.frames

    def unseen(self, who):
        """Sent and received, but missed by the recorder."""
        self.new_data(who, captured=False)


def conversation(seed: int, link=None):
    """(frames, link type) of conversation SEED; its addresses are its own."""
    made = Conversation(seed, link)
    return made.play(), made.link
