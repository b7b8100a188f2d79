"""A receiver's window that closes and opens again."""

from pathlib import Path

from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.scenarios.calm import numbered
from lab.harness.variant import REPORT_PORT

RECEIVE_BUFFER = (
    8192  # bytes that the reader asks for; Linux doubles it and makes about half of that the window
)


@scenario(notebook="06")
def zero_window(path: Path) -> Entry:
    """A reader that stops reading, and reads on, at the sender."""
    text = b"".join(numbered(number) for number in range(1, 41))
    with (
        lesson_lan(path, "server") as lan,
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as reader,
    ):
        server.listen(REPORT_PORT)
        reader.connect(lan["server"].address, REPORT_PORT, receive_buffer=RECEIVE_BUFFER)
        server.accept()
        server.say(text, wait=False)
        server.probe(2)
        reader.hear(until=text[-40:])
        server.leave()
        reader.hear_to_the_end()
        reader.leave()
    return {"place": "server", "sent_bytes": len(text), "cable_s": CABLE_S}
