"""The wire formats by name, and which of them a client uses."""

import argparse

from lab.chat import json_wire
from lab.chat.json_wire import JsonWire
from lab.chat.report_wire import ReportWire

Wire = ReportWire | JsonWire
WIRES: dict[str, type[Wire]] = {"report": ReportWire, "json": JsonWire}


def wire_for(first: bytes, pad_to: int = 0) -> Wire:
    """Return the server's side of the wire that a client uses, by the first bytes that it has sent."""
    return (JsonWire if first.startswith(json_wire.FIRST_BYTE) else ReportWire)(server=True, pad_to=pad_to)


def wire_name(text: str) -> str:
    """Return the name of a wire as somebody typed it, for ``argparse``. Raises ArgumentTypeError."""
    if text == "lines":
        raise argparse.ArgumentTypeError("the lines wire is now called json")
    return text
