"""A transfer of numbered segments over a long cable, on which nothing goes wrong."""

from pathlib import Path

from lab.harness.lesson_lan import CABLE_S, connection, lesson_lan, send_all
from lab.harness.scenarios import Truth, scenario

SEGMENTS, SEGMENT_BYTES = 10, 1000


@scenario(notebook="06")
def calm(path: Path) -> Truth:
    """Ten segments over a cable of 30 ms each way, at the sender."""
    return transfer(path, "PC1")


def transfer(
    path: Path, place: str, order: str = "", before_connect: bool = False, count: int = SEGMENTS
) -> Truth:
    """PC 1 sends ``count`` segments of 1000 bytes, one send each, under an order; the server answers at the end."""
    pieces = [numbered(number) for number in range(1, count + 1)]
    with lesson_lan(path, place) as lan:
        if order and before_connect:
            lan.order(order)
        with connection(lan, no_delay=True) as (server, sender):
            lan.settle()
            if order and not before_connect:
                lan.order(order)
            send_all(sender, server, pieces)
    orders, sent_bytes = [order] if order else [], count * SEGMENT_BYTES
    return {"orders": orders, "place": place, "sent_bytes": sent_bytes, "cable_s": CABLE_S}


def numbered(number: int) -> bytes:
    """Return a segment's worth of text that says which one it is."""
    return f"segment {number:>2} ".encode().ljust(SEGMENT_BYTES - 1, b".") + b"\n"
