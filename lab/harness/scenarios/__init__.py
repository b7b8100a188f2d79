"""Scenarios: each is one function in one file of this folder, and makes one recording on a LAN of the kit.

    @scenario(notebook="06")
    def back_off(path: Path) -> Truth:
        "One segment, lost three times in a row, at the sender."
        return transfer(path, "PC1", "drop the next three data segments from PC1", count=1)

The file is named after the function, here ``back_off.py``; the scenario and its recording are called ``back-off``. The
function plays it, records it into ``path``, and returns what is true of it; its docstring is the manifest's text.
``notebook`` names the notebooks that open the recording. Nothing else has to be changed: ``lab/capture.py --scenario``
finds it. What goes wrong in a scenario goes wrong by order (``net.orders``) and not by chance, so it comes out the same
every time; only times, ports and initial sequence numbers are new.
"""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Truth = dict[str, Any]  # what is true of one recording: JSON
Play = Callable[[Path], Truth]
_REGISTERED: "dict[str, Scenario]" = {}


@dataclass(frozen=True)
class Scenario:
    """A recording to be made. ``play`` takes the file to write and returns its part of the manifest."""

    play: Play
    notebook: str

    @property
    def about(self) -> str:
        """The manifest's text."""
        return inspect.getdoc(self.play) or ""


def scenario(notebook: str = "") -> Callable[[Play], Play]:
    """Register a function as a scenario. Its file is not a program: a scenario runs on a LAN made for it, or not at all."""

    def register(play: Play) -> Play:
        if play.__module__ == "__main__":
            name = play.__name__.replace("_", "-")
            command = f"python3 lab capture --scenario {name}"
            print(f"a scenario runs on a LAN of its own: {command}", file=sys.stderr)
            sys.exit(2)
        _REGISTERED[play.__name__.replace("_", "-")] = Scenario(play, notebook)
        return play

    return register


def names() -> list[str]:
    """Return the names of all scenarios, in alphabetical order, without importing any."""
    files = Path(__file__).parent.glob("[a-z]*.py")
    return sorted(file.stem.replace("_", "-") for file in files)


@functools.cache
def scenarios() -> dict[str, Scenario]:
    """Return all scenarios by name, in the order of their notebooks."""
    for name in names():
        importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    return dict(sorted(_REGISTERED.items(), key=lambda item: (item[1].notebook, item[0])))
