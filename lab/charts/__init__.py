"""Charts of what the captures say, each with a twin in words for those who cannot see the picture.

    exposure        what an eavesdropper recovers, by class and variant
    ladder          a flow's segments as arrows between its two ends
    time_sequence   how one direction moves through its sequence numbers
    round_trips     how long each acknowledgement took
    in_flight       what was sent and not yet acknowledged
    byte_strip      a payload's bytes, and who can read them
    entropy         byte values and entropy of plaintext and ciphertext
    length_leak     true lengths beside those that an eavesdropper inferred

A chart is one module: ``ladder`` holds ``draw_ladder`` and its twin ``describe_ladder``, and both are imported from here.
The module is found by these names (``registry``). ``draw_page`` and ``describe_page`` set several charts on one figure.
No other room of the kit imports matplotlib.
"""

from collections.abc import Callable
from typing import Any

from lab.charts.figure import new_axes, to_png
from lab.charts.registry import Chart, describe_page, draw_page, find_charts
from lab.dissect.tcp.flow_rows import plain_text
from lab.exposure.readers import Span, frame_spans, payload_spans

__all__ = [
    "Chart",
    "Span",
    "describe_page",
    "draw_page",
    "find_charts",
    "frame_spans",
    "new_axes",
    "payload_spans",
    "plain_text",
    "to_png",
]


def __getattr__(name: str) -> Callable[..., Any]:
    """Return the function ``draw_NAME`` or ``describe_NAME`` of a chart."""
    kind, _, chart = name.partition("_")
    if kind in ("draw", "describe") and (found := find_charts().get(chart)):
        return found.draw if kind == "draw" else found.describe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__ + [f"{kind}_{chart}" for kind in ("draw", "describe") for chart in find_charts()]
