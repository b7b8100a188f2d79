"""What an eavesdropper learns from a recording, and how much of it is true.

    capture file --eavesdrop--> Intercept --score--> six classes, right and wrong of how much there was
                                    |                        ^
                                    +--leaks--> bits         manifest: what was really said

``eavesdrop`` gets a capture file and nothing else: no keys, no manifest. ``score`` holds what it claims against the
manifest, and counts what it made up against it.
"""

from lab.exposure.eavesdropper import Intercept, Message, eavesdrop
from lab.exposure.leaks import Leak, length_leak, time_leak
from lab.exposure.scoring import CLASSES, Score, guess_votes, score

__all__ = [
    "CLASSES",
    "Leak",
    "Message",
    "Intercept",
    "Score",
    "eavesdrop",
    "guess_votes",
    "length_leak",
    "score",
    "time_leak",
]
