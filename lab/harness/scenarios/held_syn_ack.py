"""The answer to the SYN comes late."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.calm import transfer


@scenario(notebook="02")
def held_syn_ack(path: Path) -> Truth:
    """A SYN-ACK that takes one and a half seconds, at the initiator."""
    return transfer(path, "PC1", "hold the SYN-ACK 1.5 s", before_connect=True, count=1)
