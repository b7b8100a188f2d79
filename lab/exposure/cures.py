"""What a cure hides, and what that costs: AUC before and after, bytes and milliseconds more.

The attacker is told the cure, and learns from conversations with it. Before and after are the same authors and labels, so
that the difference is the cure's. A cure is on the **frontier** if no other one hides as much for less: all others are a
bad bargain, in that currency.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from lab.chat.features.cures import CURES
from lab.exposure.classifier import nearest_centroid
from lab.exposure.experiment import Result, run_experiment
from lab.exposure.traces import Trace

Cost = Literal["bytes", "milliseconds"]


@dataclass(frozen=True)
class Price:
    """What a cure hides and costs. ``more_bytes`` is a share: 0.5 for half as many again."""

    before: Result
    after: Result
    more_bytes: float
    more_ms: float  # that a message waits for its turn, on average

    @property
    def cure(self) -> str:
        return self.after.cure

    @property
    def left(self) -> float:
        """What is left of the attack: its AUC, or 0.5 where that is below, since this is chance and not better hidden."""
        return max(0.5, self.after.auc)

    def cost(self, cost: Cost) -> float:
        return 100 * self.more_bytes if cost == "bytes" else self.more_ms


def price_cures(
    traces: Sequence[Trace], kind: str, waits_ms: Mapping[str, float], **options: Any
) -> list[Price]:
    """Return the price of each cure in ``traces``, without a cure first; ``waits_ms`` has how long a message waits.

    ``options`` are those of ``run_experiment``. Raises ValueError, as it does.
    """
    chosen = [trace for trace in traces if trace.kind == kind]
    authors = {trace.author for trace in chosen if trace.cure != "none"}
    by_cure = {cure: [one for one in chosen if one.cure == cure and one.author in authors] for cure in CURES}
    before = run_experiment(by_cure["none"], **options)
    prices = [Price(before, before, 0.0, 0.0)]
    for cure, cured in by_cure.items():
        if cure != "none" and cured:
            more_bytes = mean_bytes(cured) / mean_bytes(by_cure["none"]) - 1
            prices.append(
                Price(before, run_experiment(cured, **options), more_bytes, waits_ms.get(cure, 0.0))
            )
    return prices


def read_waits(path: Path, kind: str) -> dict[str, float]:
    """Return how long a message waited with each cure, in ms, from the manifest beside a file of traces."""
    [entry] = json.loads(path.with_name("manifest.json").read_text(encoding="utf-8"))["recordings"]
    recorded = {tuple(name.split(", ")): one["waited_ms"] for name, one in entry["recorded"].items()}
    return {cure: waited_ms for (recorded_kind, cure), waited_ms in recorded.items() if recorded_kind == kind}


def mean_bytes(traces: Sequence[Trace]) -> float:
    """Return how many bytes of records a conversation takes, as a mean over its labels: some may have more than others."""
    by_label: dict[str, list[int]] = {}
    for trace in traces:
        by_label.setdefault(trace.label, []).append(sum(trace.sizes))
    return mean(map(mean, by_label.values()))


def frontier(prices: Sequence[Price], cost: Cost) -> list[Price]:
    """Return the prices of which no other is as cheap and hides as much, cheapest first."""
    best: list[Price] = []
    for price in sorted(prices, key=lambda one: (one.cost(cost), one.left)):
        if not best or price.left < best[-1].left:
            best.append(price)
    return best


def sweep_jitter(traces: Sequence[Trace], **options: Any) -> dict[float, Result]:
    """Attack typists of each jitter apart, without a cure; where the interval holds 0.5, the attack fails.

    By the nearest centroid unless ``options`` say otherwise: a few conversations of each label are enough for it.
    """
    options = {"model": nearest_centroid, **options}
    groups: dict[float, list[Trace]] = {}
    for trace in traces:
        if (trace.kind, trace.cure) == ("typing", "none"):
            groups.setdefault(float(trace.author.rpartition("jitter ")[2]), []).append(trace)
    return {jitter: run_experiment(groups[jitter], **options) for jitter in sorted(groups)}
