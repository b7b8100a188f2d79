"""Captures made from a seed in which a connection is refused, perhaps twice, and then accepted on the same port.

Around and inside it come the segments that mislead: RSTs with a wrong number, ACKs of an earlier connection,
SYN-ACKs with another initial number, SYNs and SYN-ACKs once more. ``Refused.sent`` is what each side wrote.
"""

import random

from tests.dissect import packets
from tests.dissect.packets import ACK, FIN, PSH, RST, SYN

PORTS = 1111, 9898


class Refused:
    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.addresses = tuple(f"10.{seed >> 8 & 255}.{seed & 255}.{host}" for host in (1, 2))
        self.time = 1_683_600_000_000_000_000 + seed * 10_000_000_000
        self.frames: list[tuple[int, bytes, int]] = []
        self.isn = [self.rng.choice([usual, self._number()]) for usual in (100, 5000)]
        self.sent = [b"", b""]
        self._play()

    def _number(self) -> int:
        return self.rng.randrange(1, 2**32)

    def _emit(self, who: int, seq: int, ack: int, flags: int, payload: bytes = b"") -> None:
        self.time += self.rng.choice([20_000, 200_000, 1_000_000, 15_000_000, 320_000_000])
        ends = *self.addresses[:: 1 - 2 * who], *PORTS[:: 1 - 2 * who]
        segment = packets.tcp(*ends, seq, ack if flags & ACK else 0, flags, payload=payload)
        frame = packets.link(packets.ETHERNET, packets.ipv4(*ends[:2], segment))
        self.frames.append((self.time, frame, len(frame)))

    def _refuse(self) -> None:
        self._emit(1, 0, self.isn[0] + 1, RST | ACK)

    def _mislead(self) -> None:
        client, number = self.isn[0] + 1, self._number()
        self._emit(
            *self.rng.choice(
                [
                    (1, 0, client, RST | ACK),
                    (1, number, client, RST | ACK),
                    (1, number, self._number(), ACK),
                    (0, number, 0, RST),
                    (1, number, client, SYN | ACK),
                    (0, client, 0, RST),
                ]
            )
        )

    def _sometimes(self, chance: float, step, *arguments) -> None:
        if self.rng.random() < chance:
            step(*arguments)

    def _play(self) -> None:
        rng = self.rng
        self._sometimes(0.3, self._mislead)
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            self._emit(0, self.isn[0], 0, SYN)
            rng.choice([self._mislead, self._refuse])()
            if rng.random() < 0.2:
                self.isn[0] = self._number()
        opening = (0, self.isn[0], 0, SYN), (1, self.isn[1], self.isn[0] + 1, SYN | ACK)
        for segment in opening:
            self._emit(*segment)
            self._sometimes(0.2, self._mislead)
        self._emit(0, self.isn[0] + 1, self.isn[1] + 1, ACK)
        for _ in range(rng.randrange(2, 9)):
            self._write(rng.randrange(2), rng.choice([1, 5, 40]))
            self._sometimes(0.08, self._mislead)
            for segment in opening:
                self._sometimes(0.04, self._emit, *segment)
        for who in rng.sample([0, 1], rng.randrange(3)):
            self._emit(who, *self._numbers(who), FIN | ACK)

    def _numbers(self, who: int) -> list[int]:
        return [self.isn[one] + 1 + len(self.sent[one]) for one in (who, 1 - who)]

    def _write(self, who: int, length: int) -> None:
        start = len(self.sent[who])
        text = bytes((i * 7 + who) & 255 for i in range(start, start + length))
        self._emit(who, *self._numbers(who), PSH | ACK, text)
        self.sent[who] += text
