"""A lost segment, seen where it is sent."""

from pathlib import Path

from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.scenarios.calm import transfer


@scenario(notebook="06")
def loss_at_the_sender(path: Path) -> Entry:
    """The third of ten segments is lost, at the sender."""
    return transfer(path, "PC1", "drop the third data segment from PC1")
