"""What can be said in the chat: one vocabulary for both wires.

A wire (``report_wire``, ``json_wire``) turns bytes into these events and back. The code above knows events only, the
connection below knows bytes only. A wire has no bytes for an event that it does not know: sending it does nothing.

    client to server    Join  Announce  ListUsers  Say  SayTo  Rename  Leave
    server to client    Welcome  Joined  Announced  Left  Renamed  Said  SaidTo  Users  Notice  Refused  Text
    both ways           Typing
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Join:  # the first event of a connection
    name: str
    password: str | None = field(default=None, repr=False)  # so that no log ever shows it


@dataclass(frozen=True)
class Announce: ...  # me to everyone (on the json wire the server does that unasked)


@dataclass(frozen=True)
class ListUsers:
    everyone: bool = False  # send the list to all, as the report's server does, not to me alone


# Not frozen: Say and Said come by the million, and that would take three times as long.
@dataclass(unsafe_hash=True)
class Say:
    text: str
    id: str | None = None  # comes back with the message: then it was delivered


@dataclass(frozen=True)
class SayTo:
    to: str
    text: str
    id: str | None = None


@dataclass(frozen=True)
class Rename:
    name: str


@dataclass(frozen=True)
class Leave: ...


@dataclass(frozen=True)
class Typing:  # a key was pressed; nobody has sent anything yet
    name: str | None = None  # filled in by the server
    idle: bool | None = None  # no key was pressed: sent so that an eavesdropper cannot tell


@dataclass(frozen=True)
class Welcome:
    name: str  # as the others see it
    offers: tuple[str, ...] = ()  # what the server can do beyond the basics


@dataclass(frozen=True)
class Joined:
    name: str


@dataclass(frozen=True)
class Announced:
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
    name: str
    text: str
    id: str | None = None
    time: int | None = None  # seconds since 1970 (UTC) of a message of the past, sent again to a new user


@dataclass(frozen=True)
class SaidTo:
    name: str
    to: str
    text: str
    id: str | None = None


@dataclass(frozen=True)
class Users:
    names: tuple[str, ...]  # in order of arrival
    changed: bool = False  # sent unasked: only the report wire needs that, since its clients keep no list
    more: bool | None = None  # the list goes on in the next event; above the codecs it is always whole


@dataclass(frozen=True)
class Notice:  # something that the server itself says
    text: str


@dataclass(frozen=True)
class Refused:
    reason: str  # a key of ``REASONS``
    text: str  # the same for people
    id: str | None = None  # of the message
    closing: bool = False  # a ``Join`` was refused, and the server closes the connection


@dataclass(frozen=True)
class Text:  # of unknown shape (report wire): parts of messages that TCP has cut or joined
    text: str


@dataclass(frozen=True)
class Lost:  # the client's own last event
    reason: str | None  # why the connection has ended; None when the user has left


Request = Join | Announce | ListUsers | Say | SayTo | Rename | Leave | Typing
Reply = (
    Welcome | Joined | Announced | Left | Renamed | Said | SaidTo | Users | Notice | Refused | Text | Typing
)
Event = Request | Reply | Lost

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


class WireError(ValueError):
    """The peer broke a rule. ``reason`` is a key of ``REASONS``; the error's text is one line for people."""

    def __init__(self, reason: str, text: str = "", id: str | None = None):
        super().__init__(text or REASONS[reason])
        self.reason, self.id = reason, id
        # Nobody knows where the next message starts.
        self.fatal = reason in ("too_long", "bad_utf8", "bad_json")

    def refusal(self, closing: bool = False) -> Refused:
        return Refused(self.reason, str(self), self.id, closing)


def printable(text: str) -> str:
    """Return the text with every character that a terminal might obey (escape, bell, ...) as ``\\xNN`` instead."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
