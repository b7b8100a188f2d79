"""A crowd at a busy server with a long backlog: all are connected at once."""

from pathlib import Path

from lab.harness.manifest import Entry
from lab.harness.scenarios import scenario
from lab.harness.scenarios.crowd import connect_while_stopped


@scenario(notebook="07")
def backlog(path: Path) -> Entry:
    """Eight clients connect to a busy server with a backlog of 4096, at the server."""
    return connect_while_stopped(path, "lab/stages/backlog.py")
