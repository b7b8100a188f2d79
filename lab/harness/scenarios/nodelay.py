"""Short lines to a reader far away, with TCP_NODELAY: each leaves at once."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.nagle import far_reader


@scenario(notebook="07")
def nodelay(path: Path) -> Truth:
    """Three lines with TCP_NODELAY to a reader far away, at the server."""
    return far_reader(path, "lab/stages/nodelay.py")
