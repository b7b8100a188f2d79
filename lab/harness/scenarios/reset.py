"""Mallory ends Brandon's connection with one forged RST, if she sees it; guessing ends nothing.

A RST must carry exactly the next sequence number. One that is merely in the window draws a challenge ACK and
ends nothing (RFC 9293 section 3.10.7.4, RFC 5961 section 3.2). So one segment is enough for whoever sees the
connection. Whoever only knows its addresses and ports can find the window by stepping through all numbers,
one window at a time, and then still does not know the number.
"""

import random
from pathlib import Path

from lab.harness.attack_lan import attack_lan, is_reset, tls_connection, view, what_was_forged
from lab.harness.bare_socket import WAIT_S
from lab.harness.forging import ACK, RST, Forger, Seen, mac_of, segment
from lab.harness.lesson_lan import connection, recorded_at
from lab.harness.remote_chat import wait_until
from lab.harness.scenarios import Truth, scenario
from lab.harness.tap import RecordingError
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Lan

PLACES = ("PC1", "server", "switch")
SOURCE_PORT = 50_000  # of Brandon's connection that Mallory does not see
NUMBERS, STEP, BATCH = 2**32, 64_000, 100  # a step is a little less than the window of a new connection


@scenario(notebook="10")
def reset(path: Path) -> Truth:
    """One RST ends Brandon's connection, over TLS too; guesses do not, nor one that the switch drops; at PC 1."""
    ended = {}
    guessed = path.with_stem(f"{path.stem}-guessed")
    with attack_lan() as (lan, mallory):
        guesses = _guess(lan, mallory, guessed)
        with recorded_at(lan, path, *PLACES):
            lan.mirror("Mallory")
            with connection(lan, greeting=b"hello") as (_, brandon):
                _end(lan, mallory)
                ended["plaintext"] = is_reset(brandon.hear_to_the_end)
            with tls_connection(lan, "PC1", b"hello") as over_tls:
                _end(lan, mallory)
                ended["TLS"] = is_reset(lambda: over_tls.receive(100))
            lan.guard()
            with connection(lan, greeting=b"hello") as (server, brandon):
                _end(lan, mallory)
                server.say(b"still here")
                ended["guarded switch"] = is_reset(lambda: brandon.hear(until=b"still here"))
    forged = what_was_forged(mallory, path, *PLACES)
    forged["views"].append(view(mallory, guessed, "PC1"))
    return forged | {"ended": ended, "guesses": guesses}


def _end(lan: Lan, mallory: Forger) -> None:
    """Send Brandon a RST in the server's name, with the number that he expects next."""
    lan.settle()
    mallory.follow(lan["server"], lan["PC1"], RST)
    lan.settle()


def _guess(lan: Lan, mallory: Forger, path: Path) -> Truth:
    """Send the server RSTs in Brandon's name, a window apart, until one draws a challenge ACK; count them."""
    source = (lan["PC1"].address, SOURCE_PORT)
    destination = (mac_of(lan["server"]), lan["server"].address, REPORT_PORT)
    start = random.randrange(NUMBERS)
    numbers = [(start + step) % NUMBERS for step in range(0, NUMBERS, STEP)]
    answers: list[Seen] = []
    with recorded_at(lan, path, "PC1"), connection(lan, source_port=SOURCE_PORT) as (server, client):
        client.say(b"hello", to=server)
        lan.settle()
        before = _sent_to_the_server(lan)
        with Forger(lan["PC1"]) as brandon:  # only to see what reaches him
            for first in range(0, len(numbers), BATCH):
                for seq in numbers[first : first + BATCH]:
                    mallory.send(segment(mallory.mac, source, destination, seq=seq, flags=RST))
                # So that none waits for room at the switch and is lost (``lan.settle`` would take five times as long).
                all_have_left = lambda: _sent_to_the_server(lan) >= before + len(mallory.sent)  # noqa: E731
                wait_until(all_have_left, WAIT_S, "guesses were lost on their way")
                if answers := brandon.segments():
                    break
        client.say(b"still here", to=server)
    if not answers or answers[0].flags != ACK:
        raise RecordingError("no guess has drawn a challenge ACK")
    expected = answers[0].ack
    count = next(n for n, seq in enumerate(numbers, 1) if (seq - expected) % NUMBERS < STEP)
    return {"step": STEP, "most": len(numbers), "until_challenge_ack": count, "exact": NUMBERS}


def _sent_to_the_server(lan: Lan) -> int:
    return int(lan.state()["ports"]["server"]["sent"])
