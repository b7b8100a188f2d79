"""A cable and all that it does to frames.

A ``CableDirection`` is one direction of one host's cable. Frames are pushed in with the time and come out when they are
due. It has neither a socket nor a clock, so every rule can be tried with made-up times. A ``Condition`` holds rates
(probabilities) and a seed: with the same seed, the same thing happens to the same frames. An ``orders.Order`` is exact.

What happens to a frame, from left to right:

    push -> orders -> loss -> corruption -> duplication -> rate, queue -> delay, jitter -> reordering -> pop
            exact     |---------------- probabilities ---------------|    seconds          probability

Jitter alone never reorders, as on a real cable, where frames wait in one queue. The cable's check sequence is not part
of what a host sees, so a corrupted frame arrives, and its IP or TCP checksum is wrong.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass, fields, replace
from typing import Any

from lab.net.orders import KINDS, MAX_SECONDS, ConditionError, FrameKind, Order, classify

REORDER_LIMIT_S = 0.1  # a frame kept back for the next one goes on alone after this long
LOG_LENGTH = 10_000  # actions remembered for one direction; the oldest are forgotten first

# Rates

MOST = dict.fromkeys(("loss", "duplicate", "reorder", "corrupt"), 1.0)  # of each field that has a bound
MOST |= {"delay_s": MAX_SECONDS, "jitter_s": MAX_SECONDS}


@dataclass(frozen=True)
class Condition:
    """The lasting state of one direction of a cable. All zeros: a perfect cable, which adds nothing.

    ``loss``, ``duplicate``, ``reorder`` and ``corrupt`` are probabilities from 0 to 1 for each frame; ``jitter_s`` is
    the longest extra wait (uniform); ``rate_bits_per_s`` counts the frame's bytes as recorded, 0 is unlimited, and
    ``queue_frames`` may wait for it before the tail is dropped. Raises ConditionError when out of range.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    rate_bits_per_s: float = 0.0
    queue_frames: int = 100
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int if field.type is int else (int, float)):
                raise ConditionError(f"{field.name} must be a number, not {value!r}")
        for name, most in MOST.items():
            if not 0 <= getattr(self, name) <= most:
                raise ConditionError(f"{name} must be from 0 to {most:g}, not {getattr(self, name)}")
        if not 0 <= self.rate_bits_per_s < float("inf"):
            raise ConditionError(f"rate_bits_per_s must be 0 (no limit) or more, not {self.rate_bits_per_s}")
        if self.queue_frames < 1:
            raise ConditionError(f"queue_frames must be 1 or more, not {self.queue_frames}")


# One direction of a cable


@dataclass
class _Installed:
    """An order in force: how many frames of its kind have passed, until when a cut lasts, and a swap's first."""

    order: Order
    seen: int = 0
    until: float = 0.0
    swapped: tuple["CableDirection", bytes] | None = None

    def done(self, now: float) -> bool:
        if self.order.action == "cut":
            return now >= self.until
        return self.seen >= self.order.nth + self.order.count - 1


class CableDirection:
    """One direction of one cable. ``push`` frames in, ``pop`` those that are due; times in seconds, any clock.

    ``name`` ("from PC1") and the condition's seed determine the random numbers; ``counts`` says how often each thing
    was done, ``actions`` to which frames. A frame kept back for a swap leaves with the frame that it is swapped with.
    """

    def __init__(self, name: str = "", condition: Condition = Condition()):
        self.name = name
        self.orders: list[_Installed] = []
        self.counts: dict[str, int] = {}
        self.actions: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self._frames = 0
        self._waiting: list[tuple[float, int, bytes]] = []  # a heap: due time, order of arrival, frame
        self._pushed = 0
        self._kept: tuple[float, bytes] | None = None  # a frame to be overtaken by the next one
        self.set(condition)

    def set(self, condition: Condition) -> None:
        """Put another condition in force, its random numbers from the start; frames under way keep their times."""
        self.condition = condition
        self._random = random.Random(f"{condition.seed}/{self.name}")
        # Neither of these two does anything alone.
        self._perfect = replace(condition, seed=0, queue_frames=Condition.queue_frames) == Condition()
        self._last_due = self._sent_until = 0.0
        self._queue: deque[float] = deque()  # when each frame in the queue will have been sent

    def is_idle(self, now: float) -> bool:
        """Return whether it does nothing any more, so that frames may bypass it."""
        self.orders = [installed for installed in self.orders if not installed.done(now)]
        return self._perfect and not (self.orders or self._waiting or self._kept)

    def push(self, frame: bytes, now: float) -> None:
        self._frames += 1
        for passed, held_s in self._carry_out(frame, now) if self.orders else ((frame, 0.0),):
            self._apply_rates(passed, now, held_s)

    def pop(self, now: float) -> list[bytes]:
        """Return the frames that are due, in the order in which they leave the cable."""
        if self._kept and self._kept[0] <= now:
            self._release(*self._kept)
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        return due

    def next_due(self) -> float | None:
        """Return when there will be something to pop, or None."""
        times = [self._waiting[0][0]] if self._waiting else []
        if self._kept:
            times.append(self._kept[0])
        return min(times, default=None)

    def _carry_out(self, frame: bytes, now: float) -> list[tuple[bytes, float]]:
        """Show the frame to every order; return the frames that remain, each with the seconds that it is held."""
        seen = classify(frame)
        left = [(frame, 0.0)]
        taken = False  # only one order takes a frame; the others count it
        for installed in self.orders:
            order = installed.order
            if installed.done(now) or order.kind not in seen.kinds:
                continue
            if installed.swapped and installed.swapped[0] is not self:
                continue  # two frames can only change places on the same cable
            installed.seen += 1
            if installed.seen < order.nth or taken:
                continue
            taken = True
            self._note(str(order), seen)
            if order.action in ("drop", "cut"):
                left = []
            elif order.action == "hold":
                left = [(frame, order.seconds or 0.0)]
            elif order.action == "duplicate":
                left *= 2
            elif order.action == "corrupt":
                left = [(_flip(frame, len(frame) * 8 - 1), 0.0)]
            elif installed.swapped is None:
                installed.swapped, left = (self, frame), []
            else:
                left = [(frame, 0.0), (installed.swapped[1], 0.0)]
        return left

    def _apply_rates(self, frame: bytes, now: float, held_s: float) -> None:
        """Apply the rates. Every frame takes six random numbers, so that one rate does not change what another one hits."""
        condition = self.condition
        if self._perfect:
            self._wait(frame, max(now, self._last_due) if not held_s else now + held_s)
            return
        loss, corrupt, bit, duplicate, jitter, reorder = (self._random.random() for _ in range(6))
        if loss < condition.loss:
            self._note("lost", classify(frame))
            return
        if corrupt < condition.corrupt and len(frame) > 14:
            self._note("corrupted", classify(frame))
            frame = _flip(frame, 14 * 8 + int(bit * (len(frame) - 14) * 8))
        copies = 1
        if duplicate < condition.duplicate:
            self._note("duplicated", classify(frame))
            copies = 2
        for _ in range(copies):
            sent = self._transmit(frame, now)
            if sent is None:
                continue
            due = sent + condition.delay_s + jitter * condition.jitter_s + held_s
            if held_s:
                self._wait(frame, due)
                continue
            if reorder < condition.reorder and self._kept is None:
                self._note("kept back", classify(frame))
                self._kept = (due + REORDER_LIMIT_S, frame)
                continue
            self._last_due = max(due, self._last_due)
            self._wait(frame, self._last_due)
            if self._kept:
                self._release(self._last_due, self._kept[1])

    def _transmit(self, frame: bytes, now: float) -> float | None:
        """Return when the last bit of the frame is on the cable, given its rate; None where the queue is full."""
        if not self.condition.rate_bits_per_s:
            return now
        while self._queue and self._queue[0] <= now:
            self._queue.popleft()
        if len(self._queue) >= self.condition.queue_frames:
            self._note("queue full", classify(frame))
            return None
        self._sent_until = max(now, self._sent_until) + len(frame) * 8 / self.condition.rate_bits_per_s
        self._queue.append(self._sent_until)
        return self._sent_until

    def _wait(self, frame: bytes, due: float) -> None:
        self._pushed += 1
        heapq.heappush(self._waiting, (due, self._pushed, frame))

    def _release(self, due: float, kept: bytes) -> None:
        self._kept = None
        self._wait(kept, due)

    def _note(self, action: str, seen: FrameKind) -> None:
        self.counts[action] = self.counts.get(action, 0) + 1
        kind = max(seen.kinds, key=KINDS.index)
        self.actions.append({
            "cable": self.name, "did": action, "frame": self._frames, "kind": kind,
            "seq": seen.seq, "payload_length": seen.payload_length,
        })  # fmt: skip


def install(order: Order, directions: list[CableDirection], now: float) -> None:
    """Put one order in force on one or several directions: what any sees counts for all, and it is done once."""
    installed = _Installed(order, until=now + (order.seconds or 0.0))
    for direction in directions:
        direction.orders.append(installed)


def _flip(frame: bytes, bit: int) -> bytes:
    changed = bytearray(frame)
    changed[bit // 8] ^= 0x80 >> bit % 8
    return bytes(changed)
