"""A lost segment, seen where the others arrive."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.calm import transfer


@scenario(notebook="06")
def loss_at_the_receiver(path: Path) -> Truth:
    """The third of ten segments is lost, at the receiver."""
    return transfer(path, "server", "drop the third data segment from PC1")
