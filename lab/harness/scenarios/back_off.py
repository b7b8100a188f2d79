"""The retransmission timer doubles."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.calm import transfer


@scenario(notebook="06")
def back_off(path: Path) -> Truth:
    """One segment, lost three times in a row, at the sender."""
    return transfer(path, "PC1", "drop the next three data segments from PC1", count=1)
