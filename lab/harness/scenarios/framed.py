"""Messages with boundaries of their own."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.glued import talk


@scenario(notebook="04")
def framed(path: Path) -> Truth:
    """Three quick messages and a long one on the json wire, at the server."""
    return talk(path, wire="json")
