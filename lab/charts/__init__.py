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
import pkgutil
from collections.abc import Callable
from typing import Any

from lab.charts.figure import new_axes, to_png
from lab.dissect.tcp.flow_rows import plain_text
from lab.exposure.readers import frame_spans

__all__ = ["find_charts", "frame_spans", "new_axes", "plain_text", "to_png"]


def find_charts() -> list[str]:
    """Return the names of the charts of this package."""
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in _modules()}
    return [name for name, module in modules.items() if hasattr(module, f"draw_{name}")]


def _modules() -> list[str]:
    return [found.name for found in pkgutil.iter_modules(__path__)]


def __getattr__(name: str) -> Callable[..., Any]:
    """Return the function ``draw_NAME`` or ``describe_NAME`` of a chart; only its module is imported."""
    kind, _, chart = name.partition("_")
    if kind in ("draw", "describe") and chart in _modules():
        return getattr(importlib.import_module(f"{__name__}.{chart}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__ + [f"{kind}_{chart}" for kind in ("draw", "describe") for chart in find_charts()]
