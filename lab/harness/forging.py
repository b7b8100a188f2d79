"""Forge frames on a host's own cable: the one module of the kit that can, and only on a LAN of the kit.

A ``Forger`` takes a host of a running LAN, never an address or the name of an interface. The LAN's keeper
makes its socket, in the network namespace that the keeper has made for this host, so a frame leaves through
the cable of this host and ends at the kit's switch. Before the first frame, the kernel itself is asked which
namespace the socket is in (``SIOCGSKNS``): it must be the host's, and not the one that this process is in.
Nothing is read from the environment, so nothing there can change the answer. Where it is the wrong one,
``ForgingRefused`` is raised and nothing is sent.

``segment`` and ``arp_reply`` make frames (RFC 9293 section 3.1, RFC 791 section 3.1, RFC 826);
``with_checksums`` completes one that was changed on its way. A forger never gives its card another MAC, so
``forged_frames`` can say of every frame of a recording whether it was forged.
"""

import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.dissect.fields.checksums import ones_sum, pseudo_header
from lab.harness.tap import RecordingError
from lab.net.lan import Host
from lab.net.switch import ETH_P_ALL, PACKET_IGNORE_OUTGOING, SOL_PACKET

SIOCGSKNS = 0x894C  # linux/sockios.h: the network namespace of a socket
FRAME_BYTES = 2048
RECEIVE_BUFFER = 4 << 20
SEE_S = 20  # until a frame that is waited for must have come
SYN, RST, PSH, ACK = 2, 4, 8, 16
ARP, IPV4, TCP = 0x0806, 0x0800, 6
TTL, IDENTIFICATION, WINDOW = 64, 1, 8192  # of forged segments: what scapy, a common tool, fills in


class ForgingRefused(RecordingError):
    """This is not a host of a LAN of the kit; one line that says how that shows."""


@dataclass(frozen=True)
class Seen:
    """A TCP segment that a forger has seen. ``source`` and ``destination`` are (MAC, IPv4 address, port)."""

    source: tuple[bytes, str, int]
    destination: tuple[bytes, str, int]
    seq: int
    ack: int
    flags: int
    payload: bytes

    @property
    def next_seq(self) -> int:
        """The number that the receiver expects next."""
        return (self.seq + len(self.payload) + bool(self.flags & SYN)) % 2**32


class Forger:
    """Sees the frames that reach a host's card, and sends forged ones from it; ``sent`` has all of these."""

    def __init__(self, host: Host):
        self._card = _card_of(host)
        self.mac, self.address = mac_of(host), host.address
        self.sent: list[bytes] = []

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self._card.send(frame)
            self.sent.append(frame)

    def take(self, within_s: float) -> bytes | None:
        """Return the next frame that reaches the card, or None where none does in time."""
        self._card.settimeout(max(0.001, within_s))
        try:
            return self._card.recv(FRAME_BYTES)
        except TimeoutError:
            return None

    def see(self, is_wanted: Callable[[Seen], bool]) -> Seen:
        """Return the next TCP segment that is wanted, of those that reach the card. Raises RecordingError."""
        deadline = time.monotonic() + SEE_S
        while (left_s := deadline - time.monotonic()) > 0:
            if (frame := self.take(left_s)) and (seen := parse_segment(frame)) and is_wanted(seen):
                return seen
        raise RecordingError("the frame that was waited for never reached the card")

    def segments(self) -> list[Seen]:
        """Return the TCP segments that have reached the card and were not looked at before."""
        found = []
        while frame := self.take(0):
            found.append(parse_segment(frame))
        return [seen for seen in found if seen]

    def follow(self, source: Host, destination: Host, flags: int, payload: bytes = b"") -> Seen:
        """Send what would come next after the last segment that was seen on this way; return the segment.

        Raises RecordingError where there is none.
        """
        way = (source.address, destination.address)
        seen = [one for one in self.segments() if (one.source[1], one.destination[1]) == way]
        if not seen:
            raise RecordingError(f"no segment from {source.name} to {destination.name} has reached the card")
        last = seen[-1]
        numbers = {"seq": last.next_seq, "ack": last.ack if flags & ACK else 0}
        self.send(
            segment(self.mac, last.source[1:], last.destination, **numbers, flags=flags, payload=payload)
        )
        return last

    def __enter__(self) -> "Forger":
        return self

    def __exit__(self, *_: object) -> None:
        self._card.close()


def mac_of(host: Host) -> bytes:
    return bytes.fromhex(str(host.interfaces["eth0"]).replace(":", ""))


def _card_of(host: Host) -> socket.socket:
    """Return a socket for whole frames at a host's card. Raises ForgingRefused where the card is elsewhere."""
    if type(host) is not Host:
        raise ForgingRefused(f"frames are forged at a host of the kit's LAN, and not at {host!r}")
    card = host.open_socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # 0: nothing is received before bind
    try:
        with open(fcntl.ioctl(card, SIOCGSKNS), "rb") as place:
            here = os.fstat(place.fileno())
        if not os.path.samestat(here, os.fstat(host.network)):
            raise ForgingRefused(f"the card is not in the network namespace of {host.name}: nothing was sent")
        if os.path.samestat(here, os.stat("/proc/self/ns/net")):
            raise ForgingRefused("the card is in the network of this process, not of a LAN: nothing was sent")
        card.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        card.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        card.bind(("eth0", ETH_P_ALL))
    except PermissionError:
        card.close()
        text = "the kernel says that this is not a network of the kit: nothing was sent"
        raise ForgingRefused(text) from None
    except BaseException:
        card.close()
        raise
    return card


def parse_segment(frame: bytes) -> Seen | None:
    """Return the TCP segment over IPv4 in a frame, or None where there is none."""
    if len(frame) < 54 or frame[12:14] != IPV4.to_bytes(2, "big") or frame[23] != TCP:
        return None
    at = 14 + (frame[14] & 15) * 4
    source_port, port, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", frame, at)
    end = 14 + int.from_bytes(frame[16:18], "big")
    return Seen(
        source=(frame[6:12], socket.inet_ntoa(frame[26:30]), source_port),
        destination=(frame[:6], socket.inet_ntoa(frame[30:34]), port),
        seq=seq,
        ack=ack,
        flags=flags,
        payload=frame[at + (offset >> 4) * 4 : end],
    )


def segment(
    mac: bytes,
    source: tuple[str, int],
    destination: tuple[bytes, str, int],
    *,
    seq: int,
    ack: int = 0,
    flags: int,
    payload: bytes = b"",
) -> bytes:
    """Return a frame from the card ``mac`` with a segment in the name of ``source``."""
    to_mac, address, port = destination
    ethernet = to_mac + mac + IPV4.to_bytes(2, "big")
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), IDENTIFICATION, 0, TTL, TCP, 0)
    ip += socket.inet_aton(source[0]) + socket.inet_aton(address)
    numbers = (seq % 2**32, ack % 2**32)
    return with_checksums(
        ethernet
        + ip
        + struct.pack("!HHIIBBHHH", source[1], port, *numbers, 5 << 4, flags, WINDOW, 0, 0)
        + payload
    )


def arp_reply(mac: bytes, address: str, is_at: bytes, to_mac: bytes) -> bytes:
    """Return an ARP reply from the card ``mac`` that nobody asked for: "``address`` is at ``is_at``" (RFC 826)."""
    about = is_at + socket.inet_aton(address)
    return to_mac + mac + ARP.to_bytes(2, "big") + struct.pack("!HHBBH", 1, IPV4, 6, 4, 2) + about + about


def with_checksums(frame: bytes) -> bytes:
    """Return a frame with a TCP segment, with the IP and TCP checksums that it should have (RFC 1071)."""
    start = 14 + (frame[14] & 15) * 4
    end = 14 + int.from_bytes(frame[16:18], "big")
    ip = frame[14:24] + b"\0\0" + frame[26:start]
    tcp = frame[start : start + 16] + b"\0\0" + frame[start + 18 : end]
    addresses = pseudo_header(frame[26:30], frame[30:34], TCP, len(tcp))
    ip = ip[:10] + _checksum(ip) + ip[12:]
    return frame[:14] + ip + tcp[:16] + _checksum(addresses + tcp) + tcp[18:] + frame[end:]


def _checksum(data: bytes) -> bytes:
    return (ones_sum(data) ^ 0xFFFF).to_bytes(2, "big")


if __name__ == "__main__":
    print("frames are forged on a LAN of the kit only: python3 lab capture --scenario reset", file=sys.stderr)
    sys.exit(2)
