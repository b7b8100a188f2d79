"""A conversation as data: who does what, in which order. It is the truth that every analysis is held against.

A ``Script`` is a list of steps; ``make_script(seed)`` draws one for the report's three users. Seed 0 begins with the
report's own session (``hello`` in its frame 1193); the same seed gives the same conversation on every machine.
"""

import random
from dataclasses import dataclass

USERS = ("Brandon", "John", "Alice")  # the report's, in its order of arrival

OPENINGS = ("hello", "good morning", "hey everyone", "hi all", "anyone here?")
REPLIES = ("hi Brandon", "hello!", "morning", "hey, how are you?", "good to see you", "here I am")
TALK = (
    "did you finish the networks homework?",
    "almost: the checksum is still wrong",
    "which frame carries the first message?",
    "look for PSH in the flags",
    "the lab is in room 204 today",
    "my phone number has not changed",
    "the exam is on Friday",
    "can you send me your notes?",
    "the wifi key is on the whiteboard",
    "see you at the library at six",
    "TCP is a byte stream, remember",
    "are we sure that nobody reads along?",
    "my part is done: naïve, but it works",
    "I will bring coffee ☕",
)
FAREWELLS = ("bye", "see you tomorrow", "got to go", "good night")


@dataclass(frozen=True)
class Step:
    """One thing that one user does. ``action`` is join, say or leave; ``text`` is what is said."""

    who: str
    action: str
    text: str = ""


@dataclass(frozen=True)
class Script:
    """A whole conversation: everyone joins before they speak, and leaves."""

    seed: int
    steps: tuple[Step, ...]

    @property
    def users(self) -> tuple[str, ...]:
        """Who takes part, in order of arrival."""
        return tuple(step.who for step in self.steps if step.action == "join")

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """(who, text) of everything said, in order."""
        return tuple((step.who, step.text) for step in self.steps if step.action == "say")


# The session behind the report's trace (report.md, section 4): up to its frame 1193 worked out from the sequence
# numbers, the four bytes of frame 1259 freely chosen; then the third user, as in its Figures 4.1 to 4.3.
REPORT_SCRIPT = Script(
    seed=0,
    steps=(
        Step("Brandon", "join"),
        Step("John", "join"),
        Step("Brandon", "say", "hello"),
        Step("Brandon", "say", "test"),
        Step("John", "say", "hi Brandon"),
        Step("Alice", "join"),
        Step("Alice", "say", "hello everyone"),
        Step("Alice", "leave"),
        Step("John", "leave"),
        Step("Brandon", "leave"),
    ),
)


def make_script(seed: int = 0) -> Script:
    """The conversation of this seed: three users, 13 lines, no line said twice."""
    dice = random.Random(f"lab script {seed}")  # a text seed draws the same on every version of Python since 3.2
    brandon, john, alice = USERS
    opening = OPENINGS[0] if seed == 0 else dice.choice(OPENINGS)
    replies = dice.sample(REPLIES, 2)
    steps = [
        Step(brandon, "join"),
        Step(john, "join"),
        Step(brandon, "say", opening),
        Step(john, "say", replies[0]),
        Step(alice, "join"),
        Step(alice, "say", replies[1]),
    ]
    previous = alice
    for text in dice.sample(TALK, 7):
        previous = dice.choice([user for user in USERS if user != previous])
        steps.append(Step(previous, "say", text))
    for user, text in zip(dice.sample(USERS, 3), dice.sample(FAREWELLS, 3), strict=True):
        steps += [Step(user, "say", text), Step(user, "leave")]
    return Script(seed, tuple(steps))
