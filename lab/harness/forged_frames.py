"""Find the forged frames of a recording: those that a card sent as if they came from another host."""

from pathlib import Path

from lab.dissect.files.capture_file import read_capture
from lab.net.port_guard import Station


def frames_in_anothers_name(path: Path, mac: bytes, address: str) -> list[int]:
    """Return the numbers of the frames that a card sent as if they came from another host, by a recording.

    ``mac`` and ``address`` are the card's own, and no other card of the LAN has this MAC.
    """
    capture, own = read_capture(path), Station(mac.hex(":"), [address])
    frames = ((number, bytes(capture.frame(number))) for number in range(1, len(capture) + 1))
    return [number for number, frame in frames if frame[6:12] == mac and not own.may_send(frame)]
