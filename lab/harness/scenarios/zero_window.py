"""A receiver's window that closes and opens again."""

from pathlib import Path

from lab.harness.lesson_lan import CABLE_S, connection, lesson_lan
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.calm import numbered

# Bytes that the reader asks for; Linux doubles them, and about half of that is the window.
RECEIVE_BUFFER = 8192


@scenario(notebook="06")
def zero_window(path: Path) -> Truth:
    """A reader that stops reading, and reads on, at the sender."""
    text = b"".join(numbered(number) for number in range(1, 41))
    with (
        lesson_lan(path, "server") as lan,
        connection(lan, receive_buffer=RECEIVE_BUFFER) as (server, reader),
    ):
        server.say(text, wait=False)
        server.probe(2)
        reader.hear(until=text)
        server.leave()
        reader.hear_to_the_end()
        reader.leave()
    return {"place": "server", "sent_bytes": len(text), "cable_s": CABLE_S}
