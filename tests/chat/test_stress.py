"""Thread safety shown: many clients join, leave and talk at random, and every transcript agrees with every other."""

import random
import socket
import threading

import pytest

from lab.chat import events
from lab.chat.json_wire import JsonWire
from tests.chat.rig import BOUND_S, JSON, json_client, read_to_end, say, until

ROUNDS = 3


def one_user(number: int, port: int, seed: int, transcripts: list, sent: list) -> None:
    """Come, talk, go, and come again; keeps whatever was heard, stay by stay."""
    dice = random.Random(seed * 1_000 + number)
    for stay in range(ROUNDS):
        with socket.create_connection(("127.0.0.1", port), BOUND_S) as sock:
            sock.settimeout(BOUND_S * 4)
            sock.sendall(JSON.encode(events.Join(f"user{number}")))
            for i in range(dice.randrange(1, 6)):
                text = f"{number}/{stay}/{i}"
                sock.sendall(JSON.encode(events.Say(text)))
                sent.append(text)
            sock.sendall(JSON.encode(events.Leave()))
            heard = read_to_end(sock)
        transcripts.append((number, stay, JsonWire().feed(heard)))


@pytest.mark.parametrize("clients", [40, pytest.param(200, marks=pytest.mark.maintainers)])
def test_every_transcript_agrees(serve, clients):
    server = serve()
    witness = json_client("Witness", server)
    transcripts, sent = [], []
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # which order the threads take is not ours to choose; the users' dice are
    arguments = [server.port, seed, transcripts, sent]
    threads = [threading.Thread(target=one_user, args=[n, *arguments], daemon=True) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S * 6)
        assert not thread.is_alive()
    say(witness, "the end")
    everything = [event for event in until(witness, lambda event: str(event).find("the end") >= 0)]

    said = [event.text for event in everything if isinstance(event, events.Said)][:-1]
    assert sorted(said) == sorted(sent)  # nothing lost, nothing twice
    for number in range(clients):  # each sender's in the order in which it sent them
        mine = [tuple(map(int, text.split("/"))) for text in said if text.startswith(f"{number}/")]
        assert mine == sorted(mine)
    assert len(transcripts) == clients * ROUNDS
    for number, stay, heard in transcripts:  # and everyone heard one unbroken piece of what the witness heard
        welcome, *rest = heard
        assert welcome == events.Welcome(f"user{number}", ())
        start = nth(everything, events.Joined(f"user{number}"), stay)
        assert rest == everything[start : start + len(rest)], (
            f"user{number} on stay {stay} heard something else"
        )
        own = [text for text in sent if text.startswith(f"{number}/{stay}/")]
        assert [
            event.text for event in rest if isinstance(event, events.Said) and event.name == f"user{number}"
        ] == own
    assert server.room.names == ("Witness",)
    witness.leave()


def nth(events: list, wanted, count: int) -> int:
    """Where an event stands for the (count + 1)th time."""
    places = [i for i, event in enumerate(events) if event == wanted]
    return places[count]
