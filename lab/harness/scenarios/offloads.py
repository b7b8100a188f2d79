"""A transfer recorded at a sender whose card cuts and sums: not what the cable carries."""

from pathlib import Path

from lab.harness.bare_socket import BareSocket
from lab.harness.lan_tap import Recording
from lab.harness.lesson_lan import comment_of
from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.scenarios.calm import numbered
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN


@scenario(notebook="03")
def offloads(path: Path) -> Entry:
    """40,000 bytes in one write, with the offloads of the cards left on, at the sender."""
    text = b"".join(numbered(number) for number in range(1, 41))
    with (
        Lan(REPORT_LAN, bridge=True, offloads=True) as lan,
        Recording(lan, ["PC1"], path, comment=comment_of(path, "PC1")),
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as sender,
    ):
        server.listen(REPORT_PORT)
        sender.connect(lan["server"].address, REPORT_PORT)
        server.accept()
        sender.say(text, wait=False)
        server.hear(until=text[-40:])
        server.say(b"got it")
        sender.hear(until=b"got it")
        sender.leave()
        server.hear_to_the_end()
        server.leave(wait=True)
    return {"place": "PC1", "sent_bytes": len(text)}
