"""Mallory in the room of a lecture: she ends Brandon's connection, speaks for him, or stands in the middle.

For the first two she needs the numbers of his connection. She asks the server itself: a segment in Brandon's name with
numbers out of the window draws an ACK with the right ones (RFC 9293 section 3.10.7.4), and the switch sends her a copy.
All that she sends is on the LAN of the room.
"""

from contextlib import ExitStack

from lab.harness.attack_lan import MALLORY
from lab.harness.forging import ACK, PSH, RST, Forger, Seen, mac_of, segment
from lab.harness.relay import Relay, word_changer
from lab.harness.tap import RecordingError
from lab.net.lan import Lan

FORGED_TEXT = "I quit"
TLS_RECORD = b"\x17\x03\x03"  # application data (RFC 8446 section 5.1)


class Mallory(ExitStack):
    """Her host and what she does from it; ``is_between`` is whether she passes on what Brandon and the server send."""

    def __init__(self, lan: Lan):
        super().__init__()
        self.is_between, self.has_acted = False, False
        self._lan, self._brandon, self._server = lan, lan["PC1"], lan["server"]
        her = lan[MALLORY.name]
        self.card = mac_of(her), her.address
        lan.mirror(her.name)

    def reset(self, port: int, server_port: int) -> None:
        """End the connection of Brandon's ``port`` at the server."""
        self._send_as_brandon(port, server_port, RST, b"")

    def speak(self, port: int, server_port: int, line: bytes, over_tls: bool) -> None:
        """Say a line, in the bytes of the wire, on Brandon's connection; over TLS in what only looks like a record."""
        record = TLS_RECORD + len(line).to_bytes(2, "big") + line
        self._send_as_brandon(port, server_port, PSH | ACK, record if over_tls else line)

    def stand_between(self, on: bool) -> None:
        """Change a word in what Brandon says, and back again in what he is sent; or no longer."""
        self.close()
        if on:
            self.has_acted = True
            change = word_changer(self._brandon.address)
            forger = self.enter_context(Forger(self._lan[MALLORY.name]))
            self.enter_context(Relay(forger, [self._brandon, self._server], change))
        self.is_between = on

    def _send_as_brandon(self, port: int, server_port: int, flags: int, payload: bytes) -> None:
        self.has_acted = True
        brandon, server = (
            (self._brandon.address, port),
            (mac_of(self._server), self._server.address, server_port),
        )

        def is_answer(seen: Seen) -> bool:
            return seen.source[1:] == server[1:] and seen.destination[1:] == brandon

        with Forger(self._lan[MALLORY.name]) as forger:
            forger.send(segment(forger.mac, brandon, server, seq=0, flags=ACK))
            answer = forger.see(is_answer)
            if answer.flags & RST:
                raise RecordingError(
                    "Brandon is not connected: switch the encryption to connect everybody again"
                )
            numbers = {"seq": answer.ack, "ack": answer.next_seq if flags & ACK else 0}
            forger.send(segment(forger.mac, brandon, server, **numbers, flags=flags, payload=payload))
