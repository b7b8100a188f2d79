"""The attack as an experiment: how well are held-out conversations guessed, and how sure is that?

    traces --splits--> learn from some, judge the others --> scores of all --> AUC, bits
              |                                                                  ^
              +-- the permuted twin: the same with labels shuffled --> 0.5 ------+

**Cross-validation by conversation** (``splits``). Were records of one conversation on both sides, the model would
know the conversation and not the sentence.

**AUC.** For one label: the chance that a conversation with it scores above one without it (Mann and Whitney 1947); 0.5 is a
coin, 1 never errs. The mean over all labels counts. Its 95 % interval is the middle of bootstrap samples of conversations.

**The permuted twin** has labels shuffled within each author, so nothing is left to learn. It has to land at 0.5; if it does
not, the experiment is wrong, whatever the attack is worth. Its interval is two standard deviations over ``TWINS`` shuffles.
Cross-validation errs downwards a little, if at all: of what is frequent in one fold by chance, the others have too little.

The typists and bots are simulated. So a result holds for *this typist* (or this bot), and not for people.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lab.exposure.classifier import FEATURES, Labels, Model, Rows, features, logistic_regression, standardise
from lab.exposure.leaks import Leak, guess_leak
from lab.exposure.scoring import Score
from lab.exposure.traces import Trace

FOLDS, DRAWS, TWINS = 5, 1000, 12
WHOSE = {"typing": "this typist", "topic": "this bot"}


@dataclass(frozen=True)
class Result:
    """How well the labels of ``count`` conversations were guessed by a model that had not met them."""

    kind: str
    cure: str
    labels: int  # how many there are to guess from
    count: int
    right: int
    auc: float
    interval: tuple[float, float]
    twin: float
    twin_interval: tuple[float, float]
    leak: Leak

    @property
    def score(self) -> Score:
        """The same for the exposure chart: nothing is read, whatever is guessed."""
        return Score({"typing": "sentence"}.get(self.kind, self.kind), 0, 0, self.count, leak=self.leak)

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"AUC {self.auc:.2f} of {WHOSE[self.kind]} (95 %: {low:.2f} to {high:.2f}; permuted twin "
            f"{self.twin:.2f}, {self.twin_interval[0]:.2f} to {self.twin_interval[1]:.2f}), "
            f"{self.right} of {self.count} guessed (one in {self.labels} is chance), {self.leak}"
        )


def run_experiment(
    traces: Sequence[Trace],
    *,
    model: Model = logistic_regression,
    use: Collection[str] = FEATURES,
    seed: int = 0,
) -> Result:
    """Attack conversations of one kind and one cure, and return how well that went. Raises ValueError."""
    if len({(trace.kind, trace.cure) for trace in traces}) != 1:
        raise ValueError("choose traces of one kind and one cure")
    names, labels = np.unique([trace.label for trace in traces], return_inverse=True)
    rows = np.array([features(trace, use) for trace in traces])
    folds, dice = list(splits(traces)), np.random.default_rng(seed)
    scores = held_out_scores(rows, labels, folds, model)
    drawn = dice.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=DRAWS)
    low, high = np.quantile(auc(scores, labels, drawn), (0.025, 0.975))
    authors = np.array([trace.author for trace in traces])
    twins = np.empty(TWINS)
    for number in range(TWINS):
        shuffled = _shuffle_within(authors, labels, dice)
        [twins[number]] = auc(held_out_scores(rows, shuffled, folds, model), shuffled)
    guesses, twin, spread = scores.argmax(axis=1), twins.mean(), 2 * twins.std()
    return Result(
        kind=traces[0].kind,
        cure=traces[0].cure,
        labels=len(names),
        count=len(traces),
        right=int((guesses == labels).sum()),
        auc=float(auc(scores, labels)[0]),
        interval=(float(low), float(high)),
        twin=float(twin),
        twin_interval=(float(twin - spread), float(twin + spread)),
        leak=guess_leak(labels.tolist(), guesses.tolist(), seed),
    )


def splits(traces: Sequence[Trace]) -> Iterator[tuple[Labels, Labels]]:
    """Yield (rows to learn from, rows to judge): each row is judged once, and no author and no seed is on both sides.

    Raises ValueError where that leaves some label out of what is learned from.
    """
    authors, seeds, labels = (
        np.array([getattr(trace, name) for trace in traces]) for name in ("author", "seed", "label")
    )
    order = np.unique(authors)
    for fold in range(min(FOLDS, len(order))):
        judged = np.isin(authors, order[fold::FOLDS])
        known = ~judged & ~np.isin(seeds, seeds[judged])
        if set(labels[known]) != set(labels):
            raise ValueError("too few conversations: each label is needed from several authors and seeds")
        yield np.flatnonzero(known), np.flatnonzero(judged)


def held_out_scores(rows: Rows, labels: Labels, folds: Sequence[tuple[Labels, Labels]], model: Model) -> Rows:
    """Return a row of scores for each conversation, by a model that learned from the others."""
    scores = np.zeros((len(rows), labels.max() + 1))
    for known, judged in folds:
        learned, asked = standardise(rows[known], rows[judged])
        scores[judged] = model(learned, labels[known], asked)
    return scores


def auc(scores: Rows, labels: Labels, weights: Rows | None = None) -> Rows:
    """Return the area under the ROC curve, one label against the rest, as a mean over the labels; ties count half.

    ``weights``: how often each conversation was drawn, a row for each sample; without it there is one sample, all once.
    """
    weights = np.ones((1, len(labels))) if weights is None else weights
    total, present = np.zeros(len(weights)), np.zeros(len(weights))
    for label in np.unique(labels):
        own, other = labels == label, labels != label
        gaps = scores[own, label][:, None] - scores[other, label]
        above = (gaps > 0) + 0.5 * (gaps == 0)
        pairs = weights[:, own].sum(axis=1) * weights[:, other].sum(axis=1)
        wins = ((weights[:, own] @ above) * weights[:, other]).sum(axis=1)
        total += wins / np.maximum(pairs, 1)
        present += pairs > 0  # a sample may lack a label
    mean: Rows = np.where(present, total / np.maximum(present, 1), 0.5)
    return mean


def _shuffle_within(groups: Labels, labels: Labels, dice: np.random.Generator) -> Labels:
    shuffled: Labels = labels.copy()
    for group in np.unique(groups):
        shuffled[groups == group] = dice.permutation(labels[groups == group])
    return shuffled
