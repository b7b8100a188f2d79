"""The same silent reader: a broadcaster waits for nobody."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.frozen import silent_reader


@scenario(notebook="07")
def cured(path: Path) -> Truth:
    """A silent reader in the room of a broadcaster, at the server."""
    return silent_reader(path, "lab/stages/broadcaster.py")
