"""A long transfer over a narrow cable: the sender's congestion window grows, loses, and grows again."""

from pathlib import Path

from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.scenarios.calm import numbered
from lab.harness.variant import REPORT_PORT

RATE_BITS_PER_S = 1e6  # with the round trip of 60 ms, 7,500 bytes fill the cable
QUEUE_FRAMES = 10  # that may wait for it before the switch drops the next one

# Congestion control as in RFC 5681; and a receiver that is never the one to slow things down.
SETTINGS = {"net.ipv4.tcp_congestion_control": "reno", "net.ipv4.tcp_rmem": "4096 1048576 6291456"}


@scenario(notebook="06")
def narrow_cable(path: Path) -> Entry:
    """200,000 bytes over a cable that carries 1 Mbit/s, at the sender."""
    text = b"".join(numbered(number) for number in range(1, 201))
    with (
        lesson_lan(path, "PC1", SETTINGS) as lan,
        BareSocket(lan["server"]) as server,
        BareSocket(lan["PC1"]) as sender,
    ):
        lan.condition("PC1", delay_s=CABLE_S, rate_bits_per_s=RATE_BITS_PER_S, queue_frames=QUEUE_FRAMES)
        server.listen(REPORT_PORT)
        sender.connect(lan["server"].address, REPORT_PORT)
        server.accept()
        sender.say(text, wait=False)
        server.hear(until=text[-40:])
        server.say(b"got it")
        sender.hear(until=b"got it")
        sender.leave()
        server.hear_to_the_end()
        server.leave()
    return {
        "place": "PC1",
        "sent_bytes": len(text),
        "cable_s": CABLE_S,
        "rate_bits_per_s": RATE_BITS_PER_S,
        "queue_frames": QUEUE_FRAMES,
    }
