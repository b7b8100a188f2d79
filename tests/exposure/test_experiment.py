"""The attack that learns, on traces whose secrets are known: how much there is to find, and that nothing is made up."""

import math
import random
from dataclasses import replace
from statistics import NormalDist, mean

import numpy as np
import pytest

from lab.exposure.classifier import FEATURES, logistic_regression, nearest_centroid
from lab.exposure.cures import frontier, price_cures, sweep_jitter
from lab.exposure.experiment import auc, held_out_scores, run_experiment, splits
from lab.exposure.leaks import guess_leak
from lab.exposure.traces import Trace

LABELS = ("one", "two", "three", "four")


def made_up(noise, authors=8, repetitions=2, keys=20):
    """Traces of typists whose rhythm depends on the sentence, times noise; with endless noise on nothing."""
    rhythms = {label: random.Random(label).choices((0.1, 0.2), k=keys) for label in LABELS}
    for author in range(authors):
        for repetition in range(repetitions):
            for place, label in enumerate(LABELS):
                seed = (author * repetitions + repetition) * len(LABELS) + place
                dice = random.Random(seed)
                steps = [step * dice.lognormvariate(0, noise) for step in rhythms[label]]
                times = [0.0, *(float(time) for time in np.cumsum(steps))]
                sizes, ways = [60] * len(times), [-1] * len(times)
                yield Trace("typing", label, f"typist {author}", seed, "none", times, sizes, ways)


@pytest.mark.parametrize("model", [nearest_centroid, logistic_regression])
def test_a_rhythm_is_recognised(model):
    clear = run_experiment(list(made_up(0.3, repetitions=1)), model=model)
    assert clear.auc > 0.95 and clear.right > 24 and clear.interval[0] > 0.9 and clear.leak.low > 1
    assert clear.twin_interval[0] < 0.5 < clear.twin_interval[1] < clear.interval[0]
    assert (clear.score.kind, clear.score.right, clear.score.leak) == ("sentence", 0, clear.leak)
    assert "of this typist" in str(clear) and "bits a conversation" in str(clear)


@pytest.mark.parametrize("use", [FEATURES, ("sizes",)])
def test_nothing_is_found_where_nothing_is(use):
    noisy = run_experiment(list(made_up(20.0)), model=nearest_centroid, use=use)
    assert noisy.interval[0] <= 0.5 <= noisy.interval[1] and noisy.leak.low == 0
    assert noisy.twin_interval[0] <= 0.5 <= noisy.twin_interval[1]


def test_no_author_and_no_seed_is_on_both_sides():
    traces = list(made_up(1.0))
    traces[0] = replace(traces[0], seed=traces[-1].seed)  # two authors, one seed
    judged = []
    for known, asked in splits(traces):
        for name in ("author", "seed"):
            sides = [{getattr(traces[row], name) for row in side} for side in (known, asked)]
            assert not sides[0] & sides[1]
        judged += list(asked)
    assert sorted(judged) == list(range(len(traces)))


def test_too_few_or_mixed_traces_are_refused():
    traces = list(made_up(1.0))
    with pytest.raises(ValueError, match="too few conversations"):
        run_experiment([trace for trace in traces if trace.author == "typist 0" or trace.label == "one"])
    with pytest.raises(ValueError, match="one kind and one cure"):
        run_experiment([*traces, replace(traces[0], cure="padding")])


def test_the_permuted_twin_shows_a_split_by_message():
    """Cut each conversation in two, and deal the halves out: the model recognises the conversation, whatever its label."""
    dice = np.random.default_rng(5)
    rows = np.repeat(dice.normal(size=(60, 30)), 2, axis=0) + dice.normal(size=(120, 30)) / 4
    labels = np.repeat(dice.permutation(np.arange(60) % 4), 2)  # nothing to do with the rows
    halves = [(np.arange(side, 120, 2), np.arange(1 - side, 120, 2)) for side in (0, 1)]
    whole = [
        (np.flatnonzero(np.arange(120) // 2 % 5 != n), np.flatnonzero(np.arange(120) // 2 % 5 == n))
        for n in range(5)
    ]
    assert auc(held_out_scores(rows, labels, halves, logistic_regression), labels)[0] > 0.9
    assert auc(held_out_scores(rows, labels, whole, logistic_regression), labels)[0] < 0.6


def test_the_auc_is_that_of_known_sources_and_its_interval_holds_it():
    true, dice, held, seen = NormalDist().cdf(1 / math.sqrt(2)), np.random.default_rng(1), 0, []
    labels = np.arange(100) % 2
    for _ in range(40):
        shift = dice.normal(size=100) + labels
        scores = np.column_stack([-shift, shift])
        drawn = dice.multinomial(100, np.full(100, 0.01), size=200)
        low, high = np.quantile(auc(scores, labels, drawn), (0.025, 0.975))
        held += low <= true <= high
        seen.append(auc(scores, labels)[0])
    assert held >= 36 and mean(seen) == pytest.approx(true, abs=0.02)
    ties = np.zeros((100, 2))
    assert auc(ties, labels)[0] == 0.5
    one_sided = np.array([[50, 0] * 50, [2, 2] * 50], float)  # a sample without any pair to compare
    assert list(auc(labels[:, None] * [-1, 1], labels, one_sided)) == [0.5, 1]


@pytest.mark.maintainers
@pytest.mark.parametrize("chance", [1 / 12, 0.3, 0.5, 0.8, 0.95, 1.0])
def test_the_bits_of_a_guess_are_those_of_a_known_channel(chance):
    missed = (1 - chance) * math.log2((1 - chance) / 11) if chance < 1 else 0.0
    true, dice, held, seen = math.log2(12) + chance * math.log2(chance) + missed, random.Random(2), 0, []
    for repetition in range(40):
        truths = [number % 12 for number in range(150)]
        guesses = [one if dice.random() < chance else (one + dice.randrange(1, 12)) % 12 for one in truths]
        leak = guess_leak(truths, guesses, repetition)
        held += leak.low - 1e-9 <= true <= leak.high + 1e-9
        seen.append(leak.bits)
    assert held >= 36 and mean(seen) == pytest.approx(true, abs=0.15)


def test_guesses_that_are_blind_or_always_right():
    truths = [number % 4 for number in range(60)]
    assert guess_leak(truths, [0] * 60).bits == guess_leak(truths, [0] * 60).high == 0
    right = guess_leak(truths, truths)
    assert right.bits == right.high == 2 and right.low > 1.8


def test_a_cure_that_hides_all_has_its_price_and_the_same_authors_before_and_after():
    plain = list(made_up(0.3, authors=6))
    cured = [
        replace(one, cure="clock", times=[float(n) for n in range(40)], sizes=[90] * 40, directions=[-1] * 40)
        for one in made_up(0.3, authors=4)
    ]
    none, clock = price_cures([*plain, *cured], "typing", {"clock": 120.0}, model=nearest_centroid)
    assert none.after is none.before is clock.before and clock.before.auc > 0.9
    assert clock.before.count == clock.after.count == 32 and clock.after.auc == 0.5
    assert clock.more_bytes == pytest.approx(40 * 90 / (21 * 60) - 1) and clock.cost("milliseconds") == 120
    assert [price.cure for price in frontier([none, clock], "bytes")] == ["none", "clock"]


def test_the_attack_fails_where_the_jitter_is_large():
    groups = {"0.1": 0.1, "3.0": 3.0}
    traces = [
        replace(one, author=f"{one.author}, jitter {name}")
        for name, noise in groups.items()
        for one in made_up(noise)
    ]
    sweep = sweep_jitter(traces)
    assert list(sweep) == [0.1, 3.0] and sweep[0.1].interval[0] > 0.9 > 0.7 > sweep[3.0].auc
