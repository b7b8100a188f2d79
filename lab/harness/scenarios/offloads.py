"""A transfer recorded at a sender whose card cuts and sums: not what the cable carries."""

from pathlib import Path

from lab.harness.lesson_lan import connection, recorded_at, send_all
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.calm import numbered
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN


@scenario(notebook="03")
def offloads(path: Path) -> Truth:
    """40,000 bytes in one write, with the offloads of the cards left on, at the sender."""
    text = b"".join(numbered(number) for number in range(1, 41))
    with (
        Lan(REPORT_LAN, bridge=True, offloads=True) as lan,
        recorded_at(lan, path, "PC1"),
        connection(lan) as (server, sender),
    ):
        send_all(sender, server, [text])
    return {"place": "PC1", "sent_bytes": len(text)}
