"""Segments without Nagle's algorithm: the server can read nothing until the lost first one comes, and then all."""

from pathlib import Path

from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.glued import talk


@scenario(notebook="04")
def glued_without_nagle(path: Path) -> Truth:
    """Three quick messages and a long one with TCP_NODELAY, the first segment lost, at the server."""
    return talk(path, wire="report", no_delay=True, order="drop the first data segment from PC1")
