"""Simulated authors: when a typist presses each key, and when a bot sends each token of its answer.

Nobody's real typing is in the kit: these are models, and every result says "of this typist" or "of this bot". A typist's
time from one key to the next depends on the hands that the two keys need. The means (``PAIR_MS``) are those of V. Dhakal,
A. Feit, P. Kristensson and A. Oulasvirta, "Observations on Typing from 136 Million Keystrokes", CHI 2018, table 3: both
keys left, both right, one each, the same key twice. They leave out the key that begins a word. Its mean follows from
that of all keys, 239 ms: of six keys (five letters and a blank) one begins a word, so it takes 6 x 239 - 5 x 203 = 419 ms.

The rest is ours, and stands in the table below. Each typist favours some kinds of pairs (``HABIT``), and each single
interval is drawn around its mean from a log-normal distribution; ``jitter`` is the standard deviation of its logarithm.
Texts: ``overheard_texts.json``. All sentences have 32 characters, so that their number of keys reveals nothing.
"""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

TEXTS = json.loads(Path(__file__).with_name("overheard_texts.json").read_text(encoding="utf-8"))
SENTENCES: list[str] = TEXTS["sentences"]
TOPICS: list[str] = [*TEXTS["topics"]]

PAIR_MS = {"left": 215, "right": 204, "alternating": 198, "repeated": 176, "word start": 419}
LEFT_HAND = set("qwertasdfgzxcvb")
HABIT = 0.1  # standard deviation of a typist's own factor for each kind of pair
SPEEDS = (0.6, 0.7, 0.8, 0.9)  # times the mean interval; quick ones, so that a recording takes minutes
JITTERS = (0.1, 0.2, 0.4, 0.8, 1.2)

TOKEN_MS = (50, 65, 80, 95, 110)  # the mean time from one token to the next, for each bot
TOKEN_JITTER = 0.4
SENTENCE_PAUSE = 4  # times that mean, after a full stop
SENTENCES_OF_AN_ANSWER = (4, 6)
TOKEN = re.compile(r" ?\w{1,6}|\W")  # a word or the first six letters of one, with the blank before it


@dataclass(frozen=True)
class Author:
    """A typist or a bot: ``mean`` is a factor on every interval (typist) or the time between tokens in ms (bot)."""

    name: str
    mean: float
    jitter: float

    def interval_s(self, mean_ms: float, dice: random.Random) -> float:
        return mean_ms / 1000 * dice.lognormvariate(-(self.jitter**2) / 2, self.jitter)


TYPISTS = [
    Author(f"typist {number}, jitter {jitter}", speed, jitter)
    for number, (jitter, speed) in enumerate(((jitter, speed) for jitter in JITTERS for speed in SPEEDS), 1)
]
BOTS = [Author(f"bot {number}", mean_ms, TOKEN_JITTER) for number, mean_ms in enumerate(TOKEN_MS, 1)]


def kind_of_pair(first: str, second: str) -> str:
    """Return the key of ``PAIR_MS`` for two keys pressed one after the other; a thumb presses the blank."""
    if first == " ":
        return "word start"
    if first == second:
        return "repeated"
    hands = {key in LEFT_HAND for key in (first, second)}
    if second == " " or len(hands) == 2:
        return "alternating"
    return "left" if hands.pop() else "right"


def key_intervals_s(typist: Author, sentence: str, seed: int) -> list[float]:
    """Return the times from each key of a sentence to the next, in seconds."""
    habits, dice = random.Random(typist.name), random.Random(f"keys {seed}")
    pair_ms = {kind: mean_ms * max(0.5, habits.gauss(1, HABIT)) for kind, mean_ms in PAIR_MS.items()}
    kinds = [kind_of_pair(*pair) for pair in zip(sentence, sentence[1:], strict=False)]
    return [typist.interval_s(pair_ms[kind] * typist.mean, dice) for kind in kinds]


def answer_tokens(topic: str, seed: int) -> list[str]:
    """Return the tokens of an answer about a topic, made from the patterns and the topic's words."""
    dice, words = random.Random(f"answer {seed}"), TEXTS["topics"][topic]
    patterns = [dice.choice(TEXTS["patterns"]) for _ in range(dice.randint(*SENTENCES_OF_AN_ANSWER))]
    filled = [re.sub(r"{(\w+)}", lambda kind: dice.choice(words[kind[1]]), pattern) for pattern in patterns]
    return TOKEN.findall(" ".join(filled))


def token_intervals_s(bot: Author, tokens: list[str], seed: int) -> list[float]:
    """Return the times before each token, in seconds."""
    dice = random.Random(f"tokens {seed}")
    pauses = [SENTENCE_PAUSE if before == "." else 1 for before in ["", *tokens[:-1]]]
    return [bot.interval_s(bot.mean * pause, dice) for pause in pauses]
