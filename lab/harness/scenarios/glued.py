"""Messages that a read joins or cuts, because TCP is a stream of bytes."""

from pathlib import Path

from lab.chat import events
from lab.chat.wires import WIRES
from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import chat_server, join_chat, leave_chat, lesson_lan
from lab.harness.scenarios import Truth, scenario

QUICK = ("hello", "how are you?", "bye")  # three messages, said in one breath
LONG = "a" + "é" * 600  # 1201 bytes in UTF-8; byte 1024, where a read ends, is the middle of a character


@scenario(notebook="04")
def glued(path: Path) -> Truth:
    """Three quick messages and a long one on the report wire, at the server."""
    return talk(path, wire="report")


def talk(path: Path, *, wire: str, no_delay: bool = False, order: str = "") -> Truth:
    """Brandon says three things in one breath, and then a long one."""
    encode = WIRES[wire]().encode
    with lesson_lan(path, "server") as lan, chat_server(lan) as log, BareSocket(lan["PC1"]) as brandon:
        join_chat(brandon, "Brandon", lan, log, encode, no_delay=no_delay)
        if joined := encode(events.Joined("Brandon")):
            brandon.hear(until=joined)
        lan.settle()
        if order:
            lan.order(order)
        brandon.say(*(encode(events.Say(text)) for text in QUICK))
        brandon.hear(until=QUICK[-1].encode())
        lan.settle()  # the acknowledgement of that is a segment of its own
        brandon.say(encode(events.Say(LONG)))
        brandon.hear(until=LONG[-40:].encode())
        lan.settle()
        leave_chat(brandon, encode)
    return {"wire": wire, "no_delay": no_delay, "said": [*QUICK, LONG], "order": order or None}
