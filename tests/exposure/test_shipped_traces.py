"""The claims of notebook 09 about the traces that ship. They are about these typists and bots, and hold within intervals."""

import pytest

from lab.chat.features.cures import CURES
from lab.exposure.classifier import logistic_regression, nearest_centroid
from lab.exposure.cures import frontier, price_cures, read_waits, sweep_jitter
from lab.exposure.experiment import run_experiment
from lab.exposure.traces import read_traces
from tests.support import ROOT

SHIPPED = ROOT / "captures" / "traces" / "traces.jsonl.gz"


@pytest.fixture(scope="module")
def traces():
    return read_traces(SHIPPED)


@pytest.mark.parametrize(
    ("kind", "use", "other"),
    [
        ("typing", "intervals", "sizes"),
        pytest.param("topic", "sizes", "intervals", marks=pytest.mark.maintainers),
    ],
)
def test_sentences_show_in_times_and_topics_in_sizes(traces, kind, use, other):
    plain = [trace for trace in traces if (trace.kind, trace.cure) == (kind, "none")]
    found, less = (run_experiment(plain, use=(group,), model=nearest_centroid) for group in (use, other))
    assert found.interval[0] > 0.85 and found.leak.low > 1 and found.right > 4 * found.count / found.labels
    assert less.interval[1] < 0.7 and less.leak.low == 0
    for result in (found, less):
        assert result.twin_interval[0] <= 0.5 <= result.twin_interval[1]


@pytest.mark.maintainers
def test_the_attack_fails_for_a_typist_of_large_jitter(traces):
    sweep = sweep_jitter(traces, use=("intervals",))
    aucs = [result.auc for result in sweep.values()]
    assert list(sweep) == sorted(sweep) and aucs[0] > 0.95 and aucs[-1] < 0.65
    assert sweep[1.2].interval[0] < 0.5 < sweep[0.4].interval[0]


@pytest.mark.maintainers
@pytest.mark.parametrize("model", [nearest_centroid, logistic_regression])
def test_what_each_cure_hides_and_costs(traces, model):
    for kind in ("typing", "topic"):
        prices = price_cures(traces, kind, read_waits(SHIPPED, kind), model=model)
        by_cure = {price.cure: price for price in prices}
        assert list(by_cure) == list(CURES)
        for cure in ("batching", "clock", "chaff") if kind == "typing" else CURES[1:]:
            assert by_cure[cure].after.interval[1] < 0.75 < by_cure[cure].before.interval[0]
            assert by_cure[cure].after.leak.low == 0
        assert (
            by_cure["batching"].more_bytes < 0 < by_cure["padding"].more_bytes < by_cure["clock"].more_bytes
        )
        assert by_cure["batching"].more_ms > by_cure["clock"].more_ms > by_cure["padding"].more_ms == 0
        for price in prices:
            assert price.after.twin_interval[0] <= 0.5 <= price.after.twin_interval[1]
        if kind == "typing":  # times are all that it has to offer, and padding leaves them
            assert by_cure["padding"].after.interval[0] > 0.9


def test_the_clock_is_on_the_typists_frontier_by_thousandths_alone(traces):
    chosen = [trace for trace in traces if trace.cure in ("none", "batching", "clock")]
    _, batching, clock = prices = price_cures(chosen, "typing", read_waits(SHIPPED, "typing"))
    assert frontier(prices, "bytes") == [batching, clock]
    assert 0 < batching.left - clock.left < 0.01
    assert batching.after.interval[0] < 0.5 < batching.after.interval[1]
