"""A classifier that learns from traces: times and sizes of records in, a score for each label out.

    Trace --features--> a row of numbers --standardise--> nearest_centroid or logistic_regression --> scores

Rows are conversations, columns are features. Both models have the same call: rows to learn from with their labels, rows to
judge; they return a score for each judged row and label, the highest of which is the guess. Neither sees the labels of what
it judges. ``experiment`` decides who learns from what.

Long conversations are cut: the first ``FIRST`` records of each direction stand at places of their own in the row, and
quantiles sum up the rest.
"""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.exposure.traces import Trace

Rows = NDArray[Any]
Labels = NDArray[Any]  # numbers from 0
Model = Callable[[Rows, Labels, Rows], Rows]

FEATURES = ("intervals", "sizes", "counts")
FIRST = 40  # records of a direction
SIZES = 16
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
SHORTEST_S = 0.001  # shorter intervals are taken for this: they show the machine, not the typist
STEPS, PENALTY = 80, 0.03  # of the logistic regression


def features(trace: Trace, use: Collection[str] = FEATURES) -> Rows:
    """Return what an observer can measure of one conversation, a number each; ``use`` names the groups to keep."""
    times, sizes, directions = (np.array(one) for one in (trace.times, trace.sizes, trace.directions))
    columns: list[Any] = []
    for direction in (+1, -1):
        seen, lengths = times[directions == direction], sizes[directions == direction]
        if "intervals" in use:
            logs = np.log(np.maximum(np.diff(seen), SHORTEST_S))
            columns += _sequence(logs - np.median(logs) if len(logs) else logs)  # quick and slow look alike
        if "sizes" in use:
            columns += _pairs(lengths)
        if "counts" in use:
            columns += [len(lengths), lengths.sum(), seen[-1] - seen[0] if len(seen) else 0.0]
    row: Rows = np.array(columns, float)
    return row


def _pairs(sizes: NDArray[Any]) -> list[float]:
    """Return how often one size follows another, by what is left of each when divided by ``SIZES``."""
    found = np.zeros((SIZES, SIZES))
    np.add.at(found, (sizes[:-1] % SIZES, sizes[1:] % SIZES), 1)
    return [*found.sum(axis=0), *found.ravel()]


def _sequence(values: NDArray[Any]) -> list[float]:
    """Return the first values, with zeros where there are no more, and the quantiles of all."""
    first = np.zeros(FIRST)
    first[: min(FIRST, len(values))] = values[:FIRST]
    return [*first, *(np.quantile(values, QUANTILES) if len(values) else np.zeros(len(QUANTILES)))]


def standardise(known: Rows, asked: Rows) -> tuple[Rows, Rows]:
    """Return both with each column in standard deviations from its mean, as measured on ``known`` alone.

    Columns that never vary there are left out: nothing can be learned from them.
    """
    mean, spread = known.mean(axis=0), known.std(axis=0)
    varies = spread > 1e-9
    mean, spread = mean[varies], spread[varies]
    return (known[:, varies] - mean) / spread, (asked[:, varies] - mean) / spread


def nearest_centroid(known: Rows, labels: Labels, asked: Rows) -> Rows:
    """Score each label by how near the mean of its known rows is: minus the squared distance, less the row's average."""
    centroids = np.array([known[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    distances = ((asked[:, None, :] - centroids) ** 2).sum(axis=2)
    scores: Rows = distances.mean(axis=1, keepdims=True) - distances
    return scores


def logistic_regression(known: Rows, labels: Labels, asked: Rows) -> Rows:
    """Score each label by its probability: a weight for each column and label, found by gradient descent.

    ``PENALTY`` keeps weights small, since there are more columns than conversations to learn from.
    """
    wanted = np.eye(labels.max() + 1)[labels]
    shares = (1 / wanted.sum(axis=0) / wanted.shape[1])[labels, None]  # of a row: each label counts alike
    weights: Rows = np.zeros((known.shape[1], wanted.shape[1]))
    # No slope of the loss changes faster than this.
    steepest = np.linalg.norm(known @ known.T, 2) / len(known) / 2 + PENALTY
    for _ in range(STEPS):
        slope = known.T @ (shares * (_probabilities(known @ weights) - wanted)) + PENALTY * weights
        weights -= slope / steepest
    return _probabilities(asked @ weights)


def _probabilities(scores: Rows) -> Rows:
    """Return the softmax of each row: positive numbers that sum to 1, without overflow."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return np.asarray(powers)
