"""Mallory puts a line into John's stream with one forged segment, and from then on the two ends disagree.

John now expects a number that the server has not reached. The server drops his ACKs, which cover bytes that
were never sent, and sends its real text again and again; and John, who has these numbers already, throws away
as many bytes of it as were forged. With one forged segment each way, each end takes what the other sends for
old, and answers with an ACK that the other takes for old: an ACK storm. Linux limits such answers to one in
500 ms (``net.ipv4.tcp_invalid_ratelimit``).
"""

import time
from pathlib import Path

from lab.harness.attack_lan import recorded_attack, tls_connection
from lab.harness.forging import ACK, PSH, Forger, segment
from lab.harness.lesson_lan import connection, set_kernel
from lab.harness.scenarios import Truth, scenario
from lab.net.lan import Lan

GREETING, FORGED = b"welcome", b"<Brandon> I quit"
REAL = (b"<Brandon> hi", b"<Brandon> lunch at noon?")  # shorter than what was forged, and then more
# The same as a TLS record of 40 bytes (RFC 8446 section 5.1).
RECORD = b"\x17\x03\x03\x00\x28" + FORGED.ljust(40)
LIMITS_MS = (0, 500)  # of tcp_invalid_ratelimit: none, and Linux's own
STORM_S, STORM_FRAMES, CABLE_S = 1.0, 5000, 0.002


@scenario(notebook="10")
def inject(path: Path) -> Truth:
    """A forged line swallows real text and can start an ACK storm, but says nothing over TLS; at PC 2."""
    with recorded_attack(path, "PC2", "server", "switch") as (lan, mallory, truth):
        lan.mirror("Mallory")
        lan.condition("PC2", delay_s=CABLE_S)
        heard = _say_in_brandons_name(lan, mallory)
        storms = {str(limit_ms): _storm(lan, mallory, limit_ms) for limit_ms in LIMITS_MS}
        refusal = _say_it_over_tls(lan, mallory)
    truth |= {"injected": FORGED.decode(), "said": [line.decode() for line in REAL], "heard": heard}
    return truth | {"storms": storms, "refusal": refusal}


def _say_in_brandons_name(lan: Lan, mallory: Forger) -> list[str]:
    """Put a line into John's stream, between two that are real; return all that John has heard."""
    with connection(lan, "PC2", GREETING) as (server, john):
        server.switch_nagle_off()
        _inject(lan, mallory, FORGED)
        injected = john.hear(until=FORGED)
        lan.settle()
        server.say(REAL[0])
        for _ in range(2):  # once, and again, because no ACK is accepted
            mallory.see(lambda seen: seen.payload == REAL[0])
        server.say(REAL[1])
        rest = john.hear(until=REAL[1][-5:])
        john.leave()
        server.hear_to_the_end()
        server.leave()
    return [piece.decode() for piece in (GREETING, injected, rest)]


def _inject(lan: Lan, mallory: Forger, payload: bytes, both_ways: bool = False) -> None:
    """Send John a segment in the server's name; with ``both_ways`` also the server one in John's."""
    lan.settle()
    last = mallory.follow(lan["server"], lan["PC2"], PSH | ACK, payload)  # not his: an ACK may be delayed
    if both_ways:
        numbers = {"seq": last.ack, "ack": last.next_seq}
        john, server = last.destination[1:], last.source
        mallory.send(segment(mallory.mac, john, server, **numbers, flags=PSH | ACK, payload=payload))


def _storm(lan: Lan, mallory: Forger, limit_ms: int) -> int:
    """Forge a segment each way; return how many frames pass within ``STORM_S``, at most ``STORM_FRAMES``."""
    for name in ("PC2", "server"):
        set_kernel(lan[name], "net.ipv4.tcp_invalid_ratelimit", limit_ms)
    with connection(lan, "PC2", GREETING) as (server, john):
        _inject(lan, mallory, FORGED, both_ways=True)
        count, deadline = 0, time.monotonic() + STORM_S
        while count < STORM_FRAMES and (left_s := deadline - time.monotonic()) > 0:
            count += mallory.take(left_s) is not None
        server.vanish()  # John's next ACK is answered with a RST, which ends it
        john.vanish()
    lan.settle()
    return count


def _say_it_over_tls(lan: Lan, mallory: Forger) -> str:
    """Put the same line, as a record, into a TLS connection; return how John's end took it."""
    with tls_connection(lan, "PC2", GREETING) as john:
        _inject(lan, mallory, RECORD)
        try:
            return f"received {john.receive(100)!r}"
        except OSError as error:
            return str(error)
