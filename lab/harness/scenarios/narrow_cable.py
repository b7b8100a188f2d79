"""A long transfer over a narrow cable: the sender's congestion window grows, loses, and grows again."""

from pathlib import Path
from typing import Any

from lab.harness.lesson_lan import CABLE_S, connection, lesson_lan, send_all, set_kernel
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.calm import numbered

# With the round trip of 60 ms, 7,500 bytes fill the cable. So many frames wait for it before the switch drops the next one.
RATE: dict[str, Any] = {"rate_bits_per_s": 1e6, "queue_frames": 10}
# Congestion control as in RFC 5681; and a receiver that is never the one to slow things down.
SETTINGS = {"net.ipv4.tcp_congestion_control": "reno", "net.ipv4.tcp_rmem": "4096 1048576 6291456"}


@scenario(notebook="06")
def narrow_cable(path: Path) -> Truth:
    """200,000 bytes over a cable that carries 1 Mbit/s, at the sender."""
    text = b"".join(numbered(number) for number in range(1, 201))
    with lesson_lan(path, "PC1") as lan:
        for name, value in SETTINGS.items():
            set_kernel(lan["PC1"], name, value)
            set_kernel(lan["server"], name, value)
        lan.condition("PC1", delay_s=CABLE_S, **RATE)
        with connection(lan) as (server, sender):
            send_all(sender, server, [text])
    return {"place": "PC1", "sent_bytes": len(text), "cable_s": CABLE_S, **RATE}
