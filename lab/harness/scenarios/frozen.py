"""A silent reader in a room: a server that sends to everyone in turn, under one lock, freezes."""

import time
from dataclasses import replace
from pathlib import Path

from lab.chat import events
from lab.chat.json_wire import JsonWire
from lab.harness.bare_socket import BareSocket, BareSocketError
from lab.harness.lesson_lan import chat_server, join_chat, leave_chat, recorded_at
from lab.harness.scenarios import Truth, scenario
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN

# Send buffers of a few kilobytes: a room then freezes after some lines, and not after some megabytes.
SMALL_BUFFERS = {"net.ipv4.tcp_wmem": "4096 8192 8192"}
RECEIVE_BUFFER = 8192  # bytes that the silent reader asks for
ROOM_LINES = 48
PACE_S = 0.03  # between two lines
FROZEN_S = 1.5  # how long the silent reader stays silent once everything has been said
WAIT_S = 0.6  # after which nobody waits for a line any more


@scenario(notebook="07")
def frozen(path: Path) -> Truth:
    """A silent reader in the room of a server with one lock, at the server."""
    return silent_reader(path, "lab/stages/framed.py")


def silent_reader(path: Path, program: str) -> Truth:
    """Brandon talks, John listens, Alice stops reading."""
    said = [f"line {number:>2} ".ljust(500, ".") for number in range(1, ROOM_LINES + 1)]
    plans = [replace(plan, sysctl=SMALL_BUFFERS) if plan.name == "server" else plan for plan in REPORT_LAN]
    with (
        Lan(plans) as lan,
        recorded_at(lan, path, "server"),
        chat_server(lan, program) as log,
        BareSocket(lan["PC1"]) as brandon,
        BareSocket(lan["laptop"]) as alice,
        BareSocket(lan["PC2"]) as john,
    ):
        room = {"Brandon": brandon, "Alice": alice, "John": john}
        for name, one in room.items():
            buffer = RECEIVE_BUFFER if name == "Alice" else 0
            join_chat(one, name, lan, log, JsonWire().encode, no_delay=True, receive_buffer=buffer)
        heard = _talk(brandon, john, said)
        time.sleep(FROZEN_S)  # the silence itself
        alice.hear(until=said[-1].encode())  # she reads on
        for one in (brandon, john) if heard < len(said) else (brandon,):
            one.hear(until=said[-1].encode())
        for one in (john, alice, brandon):
            leave_chat(one, JsonWire().encode)
        lan.settle()
    truth = {"users": list(room), "silent": "Alice", "said": said, "heard_while_she_was_silent": heard}
    return {"room_server": program} | truth


def _talk(brandon: BareSocket, john: BareSocket, said: list[str]) -> int:
    """Say line after line, each when John has heard the one before; return how many John has heard.

    When John has not heard one in time, Brandon says the others all the same.
    """
    heard, waiting = 0, True
    for text in said:
        brandon.say(JsonWire().encode(events.Say(text)))
        if waiting:
            try:
                john.hear(until=text.encode(), wait_s=WAIT_S)
                heard += 1
            except BareSocketError:
                waiting = False
        time.sleep(PACE_S)
    return heard
