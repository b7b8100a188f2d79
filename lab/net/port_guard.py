"""What a guarded port of the switch takes: frames in the name of its own station, and of nobody else.

Real switches call it port security (the source MAC), dynamic ARP inspection (the sender in an ARP message)
and IP source guard (the source address). The stations are known from the plan; a real switch learns them from
DHCP. IPv6 is not looked into.
"""

import ipaddress
from collections.abc import Sequence


class Station:
    """The one station behind a port: its MAC, and the addresses that are its own."""

    def __init__(self, mac: str, addresses: Sequence[str]):
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._addresses = {ipaddress.ip_address(one).packed for one in addresses}

    def may_send(self, frame: bytes | memoryview) -> bool:
        """Return whether the MAC, the IPv4 source and the sender of an ARP message are this station's."""
        if frame[6:12] != self._mac:
            return False
        if frame[12:14] == b"\x08\x00":  # IPv4: RFC 791 section 3.1
            return bytes(frame[26:30]) in self._addresses
        if frame[12:14] == b"\x08\x06":  # ARP: RFC 826
            return frame[22:28] == self._mac and bytes(frame[28:32]) in self._addresses
        return True
