"""A crowd at a busy server with a long backlog: all are connected at once."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.crowd import connect_while_stopped


@scenario(notebook="07")
def backlog(path: Path) -> Truth:
    """Eight clients connect to a busy server with a backlog of 4096, at the server."""
    return connect_while_stopped(path, "lab/stages/backlog.py")
