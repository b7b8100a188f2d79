"""What an eavesdropper learns from a recording, and how much of it is true.

    capture file --eavesdrop--> Intercept --score--> classes: right and wrong of how much there was, and the guess
                                    |                        ^
                                    +--leaks--> bits         manifest: what was really said

``eavesdrop`` reads a capture file and nothing else: no keys, no manifest. ``score`` compares its claims with the
manifest, and counts false claims against it.

    Traces --run_experiment--> how well a classifier guesses, and how many bits that is --price_cures--> what hides it

``traces``, ``classifier``, ``experiment`` and ``cures`` attack what TLS leaves: times, sizes and directions of records.
"""

from lab.exposure.eavesdropper import eavesdrop, eavesdrop_flows
from lab.exposure.facts import guess_votes
from lab.exposure.intercept import Intercept
from lab.exposure.leaks import length_leak
from lab.exposure.scoring import Score, score

__all__ = ["Intercept", "Score", "eavesdrop", "eavesdrop_flows", "guess_votes", "length_leak", "score"]
