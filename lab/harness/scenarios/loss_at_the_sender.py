"""A lost segment, seen where it is sent."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.calm import transfer


@scenario(notebook="06")
def loss_at_the_sender(path: Path) -> Truth:
    """The third of ten segments is lost, at the sender."""
    return transfer(path, "PC1", "drop the third data segment from PC1")
