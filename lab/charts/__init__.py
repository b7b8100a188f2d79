"""Charts of what the captures say, each with a twin in words for those who cannot see the picture.

    exposure        what an eavesdropper recovers, by class and variant
    ladder          a flow's segments as arrows between its two ends
    time_sequence   how one direction moves through its sequence numbers
    round_trips     how long each acknowledgement took
    in_flight       what was sent and not yet acknowledged
    byte_strip      a payload's bytes, and who can read them
    entropy         byte values and entropy of plaintext and ciphertext
    length_leak     true lengths beside those that an eavesdropper inferred
    cures           how much of an attack a cure leaves, against what it costs

A chart is one module: ``ladder`` holds ``draw_ladder`` and its twin ``describe_ladder``, and both are imported from here.
It is found by these names: nothing lists the charts by hand (lab/README.md, "Add a chart"). For several charts on one
figure, hand each Axes of yours, best one of a subfigure (matplotlib's ``Figure.subfigures``). No other room of the kit
imports matplotlib.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from matplotlib.axes import Axes

from lab.charts.figure import new_axes, to_png
from lab.dissect.tcp.flow_rows import plain_text
from lab.exposure.readers import Span, frame_spans, payload_spans

__all__ = ["Chart", "Span", "find_charts", "frame_spans", "new_axes", "payload_spans", "plain_text", "to_png"]


@dataclass(frozen=True)
class Chart:
    """One chart: ``draw`` returns the Axes, ``describe`` the same in words."""

    name: str
    draw: Callable[..., Axes]
    describe: Callable[..., str]

    def in_words(self, *data: Any, **options: Any) -> str:
        """Return the text twin of ``draw(*data, **options)``. It ignores options that only change the looks."""
        known = inspect.signature(self.describe).parameters
        return self.describe(*data, **{name: value for name, value in options.items() if name in known})


@cache
def find_charts() -> dict[str, Chart]:
    """Return the charts of this package by name. Raises AttributeError for one without its text twin."""
    charts = {}
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        if draw := getattr(module, f"draw_{found.name}", None):
            charts[found.name] = Chart(found.name, draw, getattr(module, f"describe_{found.name}"))
    return charts


def __getattr__(name: str) -> Callable[..., Any]:
    """Return the function ``draw_NAME`` or ``describe_NAME`` of a chart."""
    kind, _, chart = name.partition("_")
    if kind in ("draw", "describe") and (found := find_charts().get(chart)):
        return found.draw if kind == "draw" else found.describe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__ + [f"{kind}_{chart}" for kind in ("draw", "describe") for chart in find_charts()]
