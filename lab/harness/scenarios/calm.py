"""A transfer of numbered segments over a long cable, on which nothing goes wrong."""

from pathlib import Path

from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.variant import REPORT_PORT

SEGMENTS, SEGMENT_BYTES = 10, 1000


@scenario(notebook="06")
def calm(path: Path) -> Entry:
    """Ten segments over a cable of 30 ms each way, at the sender."""
    return transfer(path, "PC1")


def transfer(
    path: Path, place: str, order: str = "", before_connect: bool = False, count: int = SEGMENTS
) -> Entry:
    """PC 1 sends ``count`` segments of 1000 bytes, one send each, under an order; the server answers at the end."""
    pieces = [numbered(number) for number in range(1, count + 1)]
    with (
        lesson_lan(path, place) as lan,
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as sender,
    ):
        server.listen(REPORT_PORT)
        if order and before_connect:
            lan.order(order)
        sender.connect(lan["server"].address, REPORT_PORT, no_delay=True)
        server.accept()
        lan.settle()
        if order and not before_connect:
            lan.order(order)
        sender.say(*pieces)
        server.hear(until=pieces[-1])
        server.say(b"got it")
        sender.hear(until=b"got it")  # and only now is the connection closed: a FIN would reveal a loss, too
        sender.leave()
        server.hear_to_the_end()
        server.leave()
    orders, sent_bytes = [order] if order else [], count * SEGMENT_BYTES
    return {"orders": orders, "place": place, "sent_bytes": sent_bytes, "cable_s": CABLE_S}


def numbered(number: int) -> bytes:
    """Return a segment's worth of text that says which one it is."""
    return f"segment {number:>2} ".encode().ljust(SEGMENT_BYTES - 1, b".") + b"\n"
