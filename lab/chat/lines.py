"""The lines wire: the same chat done right. Bytes in, events out; no socket, thread or clock. See WIRE.md beside this.

Theory of operation. A message is one JSON object (RFC 8259) on one line of UTF-8, ended by a newline, which JSON never
holds unescaped. That is all the framing there is: ``Receiver`` keeps what came until a newline comes, however TCP cut
or glued it. Each object has an ``event``; the classes below are those events, ``to_bytes`` and the two ``read_``
functions are the way there and back.

    Receiver.feed(bytes) -> lines -> read_request(line) -> Join, Say, Msg, Who, Nick, Leave          (server's side)
                                  -> read_reply(line)   -> Welcome, Joined, Left, Said, Private, ... (client's side)

Whoever breaks a rule gets an ``Error`` with a reason from ``REASONS``: a program can act upon the reason, a person
reads the text. Errors of framing are fatal, since nobody knows where the next message starts. What is unknown is
ignored (``read_reply`` returns None), so that an old client can talk to a newer server.

Not supported: several rooms, files, edits; confusable names beyond NFKC (a Cyrillic "a" looks like a Latin one).
"""

import json
import unicodedata
from dataclasses import dataclass, fields
from json.encoder import encode_basestring as quote  # C; quotes and control characters escaped, the rest as it is
from types import MappingProxyType

from lab.chat.wire import WireError

READ_JSON = json.JSONDecoder().raw_decode  # (object, where it ended), in half of json.loads's time on a short line
BLANKS = " \t\r\n"  # what RFC 8259 allows around an object
FIRST_BYTE = ord("{")  # every connection on this wire starts with it: how a server tells the wires apart
MAX_LINE_BYTES = 16_384  # with its newline: the plaintext of one TLS record (RFC 8446 section 5.1)
MAX_TEXT_CHARACTERS = 1_000  # even written all in \uXXXX pairs, that is 12,000 bytes and fits in a line
MAX_NAME_CHARACTERS = 32
MAX_ID_CHARACTERS = 64
MAX_PASSWORD_CHARACTERS = 256
USERS_PER_LINE = 100  # 100 names of 32 characters of 4 bytes fit in a line

REASONS = MappingProxyType(
    {
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
)
FATAL = frozenset(("too_long", "bad_utf8", "bad_json"))
# Letters to Unicode, but nothing to the eye: NFKC leaves them.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")


class LineError(WireError):
    """A rule of this wire was broken; ``reason`` is a key of REASONS, the text says more."""

    def __init__(self, reason: str, more: str = "", id: str | None = None):
        super().__init__(more or REASONS[reason])
        self.reason, self.id = reason, id


# --- framing ---------------------------------------------------------------------------------------------------------


class Receiver:
    """Cuts a byte stream into lines. Raises LineError once a line is too long, with or without its end."""

    def __init__(self):
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their newlines."""
        data = self._rest + data if self._rest else data
        *lines, self._rest = data.split(b"\n")
        if len(data) >= MAX_LINE_BYTES and max(map(len, (*lines, self._rest))) >= MAX_LINE_BYTES:
            self._rest = b""
            raise LineError("too_long")
        return lines


def pad(line: bytes, block: int) -> bytes:
    """The line filled up with blanks to a multiple of ``block`` bytes (JSON ignores them before the newline).

    An eavesdropper on TLS sees lengths; after this, only how many blocks.
    """
    return line[:-1] + b" " * (-len(line) % block) + b"\n" if block else line


# --- events ----------------------------------------------------------------------------------------------------------


class Event:
    """An event of this wire. Its ``event`` is the class's name in lower case; fields that are None are left out."""

    def to_bytes(self) -> bytes:
        members = {"event": type(self).__name__.lower()}
        for field in fields(self):
            if (value := getattr(self, field.name)) is not None:
                members[field.metadata.get("as", field.name)] = value
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@dataclass(frozen=True)
class Join(Event):
    """The first line of a connection: who I am, with a password where the server wants one."""

    name: str
    password: str | None = None

    def __repr__(self) -> str:  # so that no log ever shows a password
        return f"Join(name={self.name!r}, password={'None' if self.password is None else '...'})"


@dataclass(unsafe_hash=True)  # these two come by the million, and a frozen one takes three times the time to make
class Say(Event):
    """``id`` comes back with the message, which is then known to have been delivered (and stored, where it is)."""

    text: str
    id: str | None = None


@dataclass(frozen=True)
class Msg(Event):
    """To one user alone."""

    to: str
    text: str
    id: str | None = None


@dataclass(frozen=True)
class Who(Event):
    pass


@dataclass(frozen=True)
class Nick(Event):
    """Change my name."""

    name: str


@dataclass(frozen=True)
class Leave(Event):
    pass


@dataclass(frozen=True)
class Welcome(Event):
    """The answer to Join: the name as it stands in the list now, and what this server offers beyond the basics."""

    name: str
    offers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Joined(Event):
    name: str


@dataclass(frozen=True)
class Left(Event):
    name: str


@dataclass(frozen=True)
class Renamed(Event):
    name: str
    to: str


@dataclass(unsafe_hash=True)
class Said(Event):
    """``name`` said something. ``time`` (whole seconds since 1970, UTC) marks a line of the past, played again."""

    name: str
    text: str
    id: str | None = None
    time: int | None = None

    def to_bytes(self) -> bytes:  # written out, for the same reason
        id_ = f',"id":{quote(self.id)}' if self.id is not None else ""
        time = f',"time":{self.time}' if self.time is not None else ""
        return f'{{"event":"said","name":{quote(self.name)},"text":{quote(self.text)}{id_}{time}}}\n'.encode()


@dataclass(frozen=True)
class Private(Event):
    name: str
    to: str
    text: str
    id: str | None = None


@dataclass(frozen=True)
class Users(Event):
    """Who is here, in order of arrival; ``more`` where the list goes on in the next line."""

    names: tuple[str, ...]
    more: bool | None = None


@dataclass(frozen=True)
class Notice(Event):
    text: str


@dataclass(frozen=True)
class Error(Event):
    """Why something was refused: a key of REASONS, and the same for people; ``id`` says which message."""

    reason: str
    text: str
    id: str | None = None


Request = Join | Say | Msg | Who | Nick | Leave
Reply = Welcome | Joined | Left | Renamed | Said | Private | Users | Notice | Error
REQUESTS = {kind.__name__.lower(): kind for kind in Request.__args__}
REPLIES = {kind.__name__.lower(): kind for kind in Reply.__args__}
OPTIONAL = ("password", "id", "time", "more")
KINDS = {"time": int, "more": bool, "names": list, "offers": list}  # every other field is a string
FIELDS = {
    kind: [(name, KINDS.get(name, str), name in OPTIONAL) for name in kind.__match_args__]
    for kind in Request.__args__ + Reply.__args__
}


def users_lines(names: tuple[str, ...]) -> bytes:
    """The whole list, in as many lines as it needs."""
    parts = [names[i : i + USERS_PER_LINE] for i in range(0, len(names), USERS_PER_LINE)] or [()]
    return b"".join(Users(part, True if part is not parts[-1] else None).to_bytes() for part in parts)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_request(line: bytes) -> Request:
    """The event in a line of a client's. Raises LineError."""
    members = _members(line)
    kind = REQUESTS.get(members["event"])
    if kind is None:
        raise LineError("unknown_event")
    request = kind(**_arguments(kind, members))
    if kind is Say or kind is Msg:
        if request.id is not None and not (0 < len(request.id) <= MAX_ID_CHARACTERS and request.id.isprintable()):
            raise LineError("bad_event", "an id needs 1 to 64 characters that can be printed")
        if not is_text(request.text):
            raise LineError("bad_text", id=request.id)
    if kind is Join and len(request.password or "") > MAX_PASSWORD_CHARACTERS:
        raise LineError("bad_event", f"a password has {MAX_PASSWORD_CHARACTERS} characters at most")
    return request


def read_reply(line: bytes) -> Reply | None:
    """The event in a line of a server's; None where it is one that a newer server has. Raises LineError."""
    members = _members(line)
    kind = REPLIES.get(members["event"])
    return kind and kind(**_arguments(kind, members))


def _members(line: bytes) -> dict:
    try:
        text = line.decode().strip(BLANKS)
        members, end = READ_JSON(text)
    except UnicodeDecodeError:
        raise LineError("bad_utf8") from None
    except (ValueError, RecursionError):  # (ValueError also for a number of more than 4300 digits)
        raise LineError("bad_json") from None
    if end < len(text) or not isinstance(members, dict):
        raise LineError("bad_json")
    if not isinstance(members.get("event"), str):
        raise LineError("bad_event")
    return members


def _arguments(kind: type, members: dict) -> dict:
    """What the event's class is to be called with; fields that it does not know are ignored."""
    arguments = {}
    for name, wanted, optional in FIELDS[kind]:
        value = members.get(name)
        if value is None and optional:
            continue
        if type(value) is not wanted:
            raise LineError("bad_event", f"the event {members['event']} needs {name!r} as a {wanted.__name__}")
        if wanted is list:
            if not all(isinstance(item, str) for item in value):
                raise LineError("bad_event", f"{name!r} must hold strings alone")
            value = tuple(value)
        arguments[name] = value
    return arguments


# --- what may be said, and by whom -----------------------------------------------------------------------------------


def is_text(text: str) -> bool:
    """Whether it may be said. A line break would let a line imitate another, half a surrogate pair is no character."""
    if not 0 < len(text) <= MAX_TEXT_CHARACTERS:
        return False
    return text.isprintable() or all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in text)


def check_name(name: str) -> str:
    """The name in its one form (NFKC, no blanks around it, single ones inside), or LineError.

    Refused: what cannot be printed or seen, and what imitates a server's line or a message on the report wire:
    ``*** John Connected ***``, ``<John> hi``, ``!Exit``, ``/msg``.
    """
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable() or not INVISIBLE.isdisjoint(name):
        raise LineError("bad_name")
    if unicodedata.category(name[0])[0] == "M":  # it would sit on the character before it, which is not the name's
        raise LineError("bad_name")
    if name[0] in "!/*{" or "<" in name or ">" in name or "***" in name:
        raise LineError("name_imitates")
    return name


def name_key(name: str) -> str:
    """What two names have in common that are too alike to be told apart: ``Zoë`` and ``ZOË``, ``ﬁ`` and ``fi``."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
