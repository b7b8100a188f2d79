"""The rules for names, as far as a server is strict about them: which can be used, and which are the same."""

import unicodedata

from lab.chat.events import WireError

MAX_NAME_CHARACTERS = 32
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")  # letters to Unicode, and to NFKC


def check_name(name: str) -> str:
    """Return the name in its one form (NFKC, no blanks around it, single ones inside). Raises WireError.

    Refused: what cannot be printed or seen, and what imitates a line of the server's or a message on the report
    wire: ``*** John Connected ***``, ``<John> hi``, ``!Exit``, ``/msg``.
    """
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable() or not INVISIBLE.isdisjoint(name):
        raise WireError("bad_name")
    if unicodedata.category(name[0])[0] == "M":  # it would sit on the character before it
        raise WireError("bad_name")
    if name[0] in "!/*{" or "<" in name or ">" in name or "***" in name:
        raise WireError("name_imitates")
    return name


def name_key(name: str) -> str:
    """Return the same key for names that look alike to people: ``Zoë`` and ``ZOË``, ``ﬁ`` and ``fi``."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
