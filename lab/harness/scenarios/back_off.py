"""The retransmission timer doubles."""

from pathlib import Path

from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.scenarios.calm import transfer


@scenario(notebook="06")
def back_off(path: Path) -> Entry:
    """One segment, lost three times in a row, at the sender."""
    return transfer(path, "PC1", "drop the next three data segments from PC1", count=1)
