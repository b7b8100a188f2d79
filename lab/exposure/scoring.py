"""How much of the truth was recovered exactly, how much was claimed falsely, and how much a guess would get.

Of each class (``lab.exposure.facts``), the truth and the claims are compared as multisets of facts: ``right`` is what is
in both, ``wrong`` what was claimed and is not true, ``total`` the truth's size. What is read and what is inferred without
being read are different classes: TLS takes the one to 0 and may leave the other whole.

**Skill.** ``baseline`` is what a guesser gets right who looks at nothing but presence, and is told who sent each line: all
lines are "to everybody present", all votes "yes", the hosts those of the connections. ``skill`` counts what goes beyond.
A class of which a guess gets everything shows nothing. Few facts show little: ``interval`` says how little.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lab.dissect.text import counted
from lab.exposure.facts import Facts, claimed_facts, guessed_facts, true_facts
from lab.exposure.intercept import Intercept
from lab.exposure.leaks import Leak, length_leak

CLASSES = (
    *("identities", "content", "secrets", "presence", "public", "private"),
    *("times", "lengths", "hosts", "TLS names", "inferred"),
)
LABELS = {  # of each class, also of those that ``experiment`` and ``lab.harness.integrity`` score: name, meaning
    "identities": ("identities", "names of the users"),
    "content": ("content", "lines read, with speaker"),
    "secrets": ("secrets", "passwords, secret words"),
    "presence": ("presence", "joins and leaves"),
    "public": ("relations, public", "who speaks to all, who gets it"),
    "private": ("relations, private", "who speaks to one user"),
    "times": ("times", "which lines, whose, how many"),
    "lengths": ("lengths", "of the lines"),
    "hosts": ("hosts", "addresses and ports"),
    "TLS names": ("TLS names", "version, server, certificate"),
    "sentence": ("sentence", "which one was typed"),
    "topic": ("topic", "of a bot's answer"),
    "inferred": ("inferred", "votes, lengths of names, wire"),
    "integrity": ("integrity", "bits that can be changed unnoticed"),
}


@dataclass(frozen=True)
class Score:
    """``right`` of ``total`` facts were recovered exactly; ``wrong`` more were claimed and are not true.

    ``baseline`` of them a guesser gets right, too. ``votes`` is (right, total) of the votes among the facts. ``leak`` is how
    much better than chance they can be guessed, recovered or not: the mutual information of what was said and what was seen.
    """

    kind: str
    right: int
    wrong: int
    total: int
    baseline: int = 0
    votes: tuple[int, int] = (0, 0)
    leak: Leak | None = None

    @property
    def share(self) -> float:
        """Recovered share of what there was, 0 to 1 (the field calls it recall). 0 where there was nothing."""
        return self.right / self.total if self.total else 0.0

    @property
    def percent(self) -> str:
        """The share in whole per cent, never rounded to all or to nothing; "n/a" if there was nothing to recover."""
        if not self.total:
            return "n/a"
        if 0 < self.right < self.total:
            return f"{min(99, max(1, round(100 * self.share)))} %"
        return f"{100 * self.share:.0f} %"

    @property
    def skill(self) -> float | None:
        """Share of what the guesser missed, below 0 if the guess was better. None where a guess gets everything."""
        missed = self.total - self.baseline
        return (self.right - self.baseline) / missed if missed else None

    @property
    def skill_words(self) -> str:
        """The skill in words, "skill 50 %"; "" where a guess gets nothing."""
        if not self.baseline:
            return ""
        return "skill n/a" if self.skill is None else f"skill {100 * self.skill:.0f} %"

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share, as of independent facts (Clopper and Pearson 1934)."""
        return clopper_pearson(self.right, self.total)

    @property
    def interval_words(self) -> str:
        low, high = self.interval
        return f"{100 * low:.0f} to {100 * high:.0f} %"


def clopper_pearson(right: int, total: int) -> tuple[float, float]:
    """Return the two-sided 95 % interval of a share of which ``right`` of ``total`` were seen, 0 to 1."""

    def at_most(count: int, share: float) -> float:
        """Return the chance of at most ``count`` of ``total``."""
        odds, none = math.log(share) - math.log1p(-share), total * math.log1p(-share)
        ways = (
            math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in range(count + 1)
        )
        return sum(math.exp(log_ways + k * odds + none) for k, log_ways in enumerate(ways))

    def where(is_above: Callable[[float], bool]) -> float:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (low, middle) if is_above(middle) else (middle, high)
        return low

    low = where(lambda share: 1 - at_most(right - 1, share) > 0.025) if right else 0.0
    high = where(lambda share: at_most(right, share) < 0.025) if right < total else 1.0
    return low, high


def score(intercept: Intercept, recording: dict[str, Any]) -> list[Score]:
    """Return a Score for each class, in the order of ``CLASSES``, against a recording's entry of the manifest."""
    truth, claims = true_facts(recording), claimed_facts(intercept, recording)
    guesses = guessed_facts(intercept)
    scores = [_score(kind, truth[kind], claims[kind], guesses.get(kind, Counter())) for kind in CLASSES]
    return [replace(one, leak=line_leak(intercept)) if one.kind == "content" else one for one in scores]


def guessed(scores: Mapping[str, Sequence[Score]]) -> list[str]:
    """Return a sentence for each variant whose content is not read, while its votes are known."""
    sentences = []
    for variant, of_variant in scores.items():
        unread = any(score.kind == "content" and score.total and not score.right for score in of_variant)
        right, total = next((score.votes for score in of_variant if score.votes[1]), (0, 0))
        if unread and total:
            sentences.append(f"{variant}: 0 % read; {right} of {counted(total, 'vote')} guessed")
    return sentences


def line_leak(intercept: Intercept) -> Leak:
    """Return what was seen of the lines says about them: a line's text, or else its length.

    Either depends on the line alone, so that their mutual information is the entropy of what was seen.
    """
    seen = [one.length if one.text is None else one.text for one in intercept.said]
    return replace(length_leak(seen), unit="line")


def _score(kind: str, truth: Facts, claims: Facts, guesses: Facts) -> Score:
    right, wrong, baseline = truth & claims, claims - truth, truth & guesses  # of each fact the smaller count
    votes = sum(fact[0] == "vote" for fact in right), sum(fact[0] == "vote" for fact in truth)
    return Score(kind, right.total(), wrong.total(), truth.total(), baseline.total(), votes)
