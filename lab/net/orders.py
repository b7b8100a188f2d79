"""Exact orders to a cable, in words: "drop the third data segment from PC1".

An ``Order`` counts the frames of its kind that pass from the moment it is given, and is spent once it is carried out.
Kinds are read from a frame's headers by ``classify`` (Ethernet II, IPv4 and IPv6 without extension headers, TCP, UDP);
anything else is just a "frame". VLAN tags and IP fragments are not looked into. ``cable`` carries the orders out.
"""

import re
import struct
from dataclasses import dataclass

MAX_SECONDS = 600.0

SYN, FIN, RST, ACK = 0x02, 0x01, 0x04, 0x10


class ConditionError(ValueError):
    """A condition out of range or an order that cannot be carried out; one line that says which."""


# What a frame is


@dataclass(frozen=True)
class FrameKind:
    """The facts in a frame's headers that orders need. ``seq`` is the raw number on the wire."""

    kinds: frozenset[str]
    seq: int | None = None
    payload_length: int | None = None


KINDS = ("frame", "segment", "data segment", "SYN", "SYN-ACK", "ACK", "FIN", "RST", "datagram", "ARP")


def classify(frame: bytes) -> FrameKind:
    """Look at a frame's headers; anything too short or unknown is just a "frame"."""
    if len(frame) < 14:
        return FrameKind(frozenset({"frame"}))
    ether_type = frame[12:14]
    if ether_type == b"\x08\x06":
        return FrameKind(frozenset({"frame", "ARP"}))
    if ether_type == b"\x08\x00" and len(frame) >= 34:  # RFC 791 section 3.1
        total_length, header_length, protocol = frame[16] << 8 | frame[17], (frame[14] & 15) * 4, frame[23]
        start, end = 14 + header_length, 14 + total_length
    elif ether_type == b"\x86\xdd" and len(frame) >= 54:  # RFC 8200 section 3
        protocol, start, end = frame[20], 54, 54 + (frame[18] << 8 | frame[19])
    else:
        return FrameKind(frozenset({"frame"}))
    if protocol == 17:
        return FrameKind(frozenset({"frame", "datagram"}), payload_length=end - start - 8)
    if protocol != 6 or len(frame) < start + 20:
        return FrameKind(frozenset({"frame"}))
    seq, offset, flags = struct.unpack_from("!I4xBB", frame, start + 4)  # RFC 9293 section 3.1
    payload_length = end - start - (offset >> 4) * 4
    kinds = {"frame", "segment"}
    if flags & SYN:
        kinds.add("SYN-ACK" if flags & ACK else "SYN")
    if flags & FIN:
        kinds.add("FIN")
    if flags & RST:
        kinds.add("RST")
    if payload_length > 0:
        kinds.add("data segment")
    elif flags & (SYN | FIN | RST | ACK) == ACK:
        kinds.add("ACK")
    return FrameKind(frozenset(kinds), seq, payload_length)


# Orders

ACTIONS = ("drop", "hold", "swap", "duplicate", "corrupt", "cut")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_ORDER = re.compile(
    rf"""
    (?P<action> {"|".join(ACTIONS)} )
    (\  (?P<nth> {"|".join(ORDINALS)} | \d+(st|nd|rd|th)? ) )?
    (\  next ( \  (?P<count> {"|".join(NUMBERS)} | \d+ ) )? )?
    (\  (?P<kind> .+? ) )?
    (\  (?P<way> from | to | of ) \  (?P<host> .+? ) )?
    (\  (for\ )? (?P<time> [0-9.]+ ) \ ? (?P<unit> s | ms ) )?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Order:
    """One exact action on exact frames: the ``nth`` of ``kind`` (from now on) and ``count`` - 1 more.

    ``host`` None is any host; ``direction`` is "from" or "to" the host. ``seconds`` belongs to "hold" (each frame waits
    so long while others pass) and "cut" (both directions lose everything, from now on). Raises ConditionError.
    """

    action: str
    kind: str = "frame"
    nth: int = 1
    count: int = 1
    host: str | None = None
    direction: str = "from"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ConditionError(f"unknown order {self.action!r}: it can be {', '.join(ACTIONS)}")
        if self.kind not in KINDS:
            raise ConditionError(f"unknown kind of frame {self.kind!r}: it can be {', '.join(KINDS)}")
        if self.direction not in ("from", "to"):
            raise ConditionError(f"direction must be 'from' or 'to', not {self.direction!r}")
        if self.nth < 1 or self.count < 1:
            raise ConditionError(f"impossible order: counting starts at 1, not {min(self.nth, self.count)}")
        if self.action == "swap" and self.count != 2:
            raise ConditionError(f"impossible order: a swap takes two frames, not {self.count}")
        if self.action in ("hold", "cut"):
            if self.seconds is None or not 0 < self.seconds <= MAX_SECONDS:
                raise ConditionError(f"impossible order: {self.action} needs a time, up to {MAX_SECONDS:g} s")
        elif self.seconds is not None:
            raise ConditionError(f"impossible order: {self.action} takes no time")

    @classmethod
    def parse(cls, text: str) -> "Order":
        """Read an order written in words, such as "hold the SYN-ACK from server 3 s". Raises ConditionError.

        In full, either of

            ACTION [the] [third] [next two] [KIND] [from HOST | to HOST] [[for] 3 s]
            cut the cable [of HOST] for 2 s
        """
        found = _ORDER.fullmatch(" ".join(word for word in text.split() if word != "the"))
        if found is None or (found["action"] == "cut") != (found["kind"] == "cable"):
            raise ConditionError(
                f"cannot read the order {text!r}: write for example 'drop the third data segment from PC1', "
                "'swap the next two', 'hold the SYN-ACK 3 s', 'cut the cable of PC1 for 2 s'"
            )
        kind = "frame" if found["kind"] in (None, "cable") else _kind(found["kind"])
        nth, count = _number(found["nth"], ORDINALS), _number(found["count"], NUMBERS)
        direction = "to" if found["way"] == "to" else "from"
        return cls(found["action"], kind, nth, count, found["host"], direction, _seconds(found))

    def __str__(self) -> str:
        if self.action == "cut":
            return f"cut the cable{f' of {self.host}' if self.host else ''} for {self.seconds:g} s"
        which = f"{ORDINALS[self.nth - 1] if self.nth <= 10 else f'{self.nth}th'} " if self.nth > 1 else ""
        many = f"next {self.count} " if self.count > 1 else ""
        where = f" {self.direction} {self.host}" if self.host else ""
        time = f" {self.seconds:g} s" if self.seconds else ""
        return f"{self.action} the {which}{many}{self.kind}{'s' if self.count > 1 else ''}{where}{time}"


def _seconds(found: re.Match[str]) -> float | None:
    if found["time"] is None:
        return None
    try:
        return float(found["time"]) / (1000 if found["unit"] == "ms" else 1)
    except ValueError:
        raise ConditionError(f"{found['time']!r} is not a time") from None


def _number(word: str | None, names: tuple[str, ...]) -> int:
    """Return the number that is one of the names, "3" or "3rd"; 1 where there is no word."""
    if word is None:
        return 1
    return names.index(word) + 1 if word in names else int(word.rstrip("stndrh"))


def _kind(words: str) -> str:
    for kind in KINDS:
        if words.lower() in (kind.lower(), kind.lower() + "s", kind.lower().replace("-", "/")):
            return kind
    raise ConditionError(f"unknown kind of frame {words!r}: it can be {', '.join(KINDS)}")
