"""A lost segment, seen where the others arrive."""

from pathlib import Path

from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.scenarios.calm import transfer


@scenario(notebook="06")
def loss_at_the_receiver(path: Path) -> Entry:
    """The third of ten segments is lost, at the receiver."""
    return transfer(path, "server", "drop the third data segment from PC1")
