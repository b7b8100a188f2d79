"""What can be said in the chat: one vocabulary for both wires.

A wire format (``report_wire``, ``json_wire``) turns bytes into these events and back. The code above them, the server,
the room, the client and its windows, knows events only; the code below them, the connection, knows bytes only.

    client to server    Join  Announce  ListUsers  Say  SayTo  Rename  Leave
    server to client    Welcome  Joined  Announced  Left  Renamed  Said  SaidTo  Users
                        Notice  Refused  Text

A wire has no bytes for an event that it does not know, such as ``Announce`` on the json wire: sending it does nothing.
"""

import unicodedata
from dataclasses import dataclass

# --- client to server ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Join:
    """Who I am: the first event of a connection."""

    name: str
    password: str | None = None

    def __repr__(self) -> str:  # so that no log ever shows a password
        return f"Join(name={self.name!r}, password={'None' if self.password is None else '...'})"


@dataclass(frozen=True)
class Announce:
    """Announce me to everyone (report wire; on the json wire the server does that unasked)."""


@dataclass(frozen=True)
class ListUsers:
    """Send the user list: to ``everyone``, as the report's server does, or to me alone."""

    everyone: bool = False


@dataclass(
    unsafe_hash=True
)  # Say and Said come by the million, and a frozen one takes three times as long to make
class Say:
    """A message to everyone. ``id`` comes back with it, and so tells its sender that it was delivered."""

    text: str
    id: str | None = None


@dataclass(frozen=True)
class SayTo:
    """A message to one user."""

    to: str
    text: str
    id: str | None = None


@dataclass(frozen=True)
class Rename:
    name: str


@dataclass(frozen=True)
class Leave:
    pass


# --- server to client ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Welcome:
    """The answer to ``Join``: the name as the others see it, and what the server offers beyond the basics."""

    name: str
    offers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Joined:
    name: str


@dataclass(frozen=True)
class Announced:
    """``*** NAME Connected ***`` on the report wire."""

    name: str


@dataclass(frozen=True)
class Left:
    name: str


@dataclass(frozen=True)
class Renamed:
    name: str
    to: str


@dataclass(unsafe_hash=True)
class Said:
    """``time`` (whole seconds since 1970, UTC) marks a message of the past, sent again to a new user."""

    name: str
    text: str
    id: str | None = None
    time: int | None = None


@dataclass(frozen=True)
class SaidTo:
    name: str
    to: str
    text: str
    id: str | None = None


@dataclass(frozen=True)
class Users:
    """Everyone in the room, in order of arrival.

    ``changed``: sent unasked, since the list has changed. Only the report wire needs it: its clients keep no list.
    """

    names: tuple[str, ...]
    changed: bool = False


@dataclass(frozen=True)
class Notice:
    """Something the server itself says."""

    text: str


@dataclass(frozen=True)
class Refused:
    """Why a request was not carried out: a key of ``REASONS``, the same for people, and the id of a message.

    ``closing``: it was a ``Join``, and the server closes the connection (never a field on the wire).
    """

    reason: str
    text: str
    id: str | None = None
    closing: bool = False


@dataclass(frozen=True)
class Text:
    """Text of unknown shape (report wire): parts of messages that a byte stream has cut, or joined."""

    text: str


@dataclass(frozen=True)
class Lost:
    """The connection has ended; ``reason`` is None when we left. Never on the wire: the client's own last event."""

    reason: str | None


Request = Join | Announce | ListUsers | Say | SayTo | Rename | Leave
Reply = Welcome | Joined | Announced | Left | Renamed | Said | SaidTo | Users | Notice | Refused | Text
Event = Request | Reply | Lost

# --- what is refused, and why ----------------------------------------------------------------------------------------

REASONS = {
    "too_long": "the line is longer than 16384 bytes",
    "bad_utf8": "the line is not UTF-8",
    "bad_json": "the line is not a JSON object",
    "bad_event": "the event lacks a field, or a field is of the wrong kind",
    "unknown_event": "this server does not know the event",
    "not_offered": "this server does not offer that",
    "bad_text": "a text needs 1 to 1000 characters, without line breaks and other control characters",
    "bad_name": "a name needs 1 to 32 characters that can be printed",
    "name_imitates": "a name must not look like one of the server's lines",
    "name_taken": "somebody has that name already",
    "wrong_password": "the name or the password is wrong",
    "no_such_user": "nobody here has that name",
    "room_full": "the room is full",
    "not_stored": "the message could not be stored, so it was not sent",
}
FATAL = frozenset(("too_long", "bad_utf8", "bad_json"))  # nobody knows where the next message starts


class WireError(ValueError):
    """The peer broke a rule. ``reason`` is a key of ``REASONS``; the error's text is one line for people."""

    def __init__(self, reason: str, text: str = "", id: str | None = None):
        super().__init__(text or REASONS.get(reason, reason))
        self.reason, self.id = reason, id
        self.fatal = reason in FATAL


def name_key(name: str) -> str:
    """The form in which two names are the same that people cannot tell apart: ``Zoë`` and ``ZOË``, ``ﬁ`` and ``fi``."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def printable(text: str) -> str:
    """The text with every character that a terminal might obey (escape, bell, ...) shown as ``\\xNN`` instead."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
