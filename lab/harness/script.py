"""A conversation as data: who does what, in which order. It is the truth that every analysis is scored against.

A ``Script`` is a list of steps; ``make_script(seed)`` draws one for the report's three users. Seed 0 begins with the
report's own session (``hello`` in its frame 1193); the same seed makes the same conversation on every machine. Two things
are planted for the eavesdropper: a secret word in one of the lines, and a vote whose answers are "yes" and "no".
"""

import random
from dataclasses import dataclass

LONGEST_PAUSE = 4  # times the mean; beyond it, one pause would say little and cost much
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
WHISPERS = ("do not tell the others", "I have the solution", "can we talk later?", "she knows already")
QUESTIONS = ("shall we hand it in tonight?", "one more week, yes or no?", "do we ask for help?")
SECRET_WORDS = ("heron", "walnut", "copper", "lantern", "quartz", "saffron")
FAREWELLS = ("bye", "see you tomorrow", "got to go", "good night")


@dataclass(frozen=True)
class Step:
    """One thing that one user does. ``action`` is join, say, tell (``to`` one user alone) or leave.

    ``text`` is what is said; ``vote`` marks an answer to the vote. The report wire knows no ``tell``: there it is left out.
    """

    who: str
    action: str
    text: str = ""
    to: str = ""
    vote: bool = False


@dataclass(frozen=True)
class Script:
    """A whole conversation: everyone joins before they speak, and leaves."""

    seed: int
    steps: tuple[Step, ...]
    password: str = ""  # of the room, where the wire knows passwords
    secrets: tuple[str, ...] = ()  # words planted in the lines
    source: str = ""  # the file that it was read from; "" where the seed decides
    pace_s: float = 0  # the mean pause before a step; 0: as fast as the server forwards

    @property
    def pauses_s(self) -> list[float]:
        """The pause before each step, drawn from the seed: exponential, as of people who do not wait for each other."""
        if not self.pace_s:
            return [0.0] * len(self.steps)
        dice = random.Random(f"lab pace {self.seed}")
        return [min(dice.expovariate(1 / self.pace_s), LONGEST_PAUSE * self.pace_s) for _ in self.steps]

    @property
    def users(self) -> tuple[str, ...]:
        """The names of those who take part, in order of arrival."""
        return tuple(step.who for step in self.steps if step.action == "join")

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """(who, text) of everything said to all, in order."""
        return tuple((step.who, step.text) for step in self.steps if step.action == "say")


# The session behind the report's trace of May 2023: up to its frame 1193 worked out from the sequence
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
    """Return the conversation of this seed: three users, 18 lines to all, two private ones."""
    dice = random.Random(f"lab script {seed}")  # a text draws the same on every version of Python since 3.2
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
    talk = dice.sample(TALK, 7)
    secret, password = (f"{dice.choice(SECRET_WORDS)}-{dice.randrange(1000, 10_000)}" for _ in range(2))
    talk.insert(dice.randrange(8), f"the door code is {secret}")
    previous = alice
    for text in talk:
        previous = dice.choice([user for user in USERS if user != previous])
        steps.append(Step(previous, "say", text))
    for text in dice.sample(WHISPERS, 2):
        who, to = dice.sample(USERS, 2)
        steps.append(Step(who, "tell", text, to))
    steps.append(Step(dice.choice(USERS), "say", dice.choice(QUESTIONS)))
    for user in dice.sample(USERS, 3):
        steps.append(Step(user, "say", dice.choice(("yes", "no")), vote=True))
    for user, text in zip(dice.sample(USERS, 3), dice.sample(FAREWELLS, 3), strict=True):
        steps += [Step(user, "say", text), Step(user, "leave")]
    return Script(seed, tuple(steps), password, (secret,))
