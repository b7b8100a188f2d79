"""The json wire: the same chat done right. Bytes to events and back; no socket, thread or clock in here.

Theory of operation. A message is one JSON object (RFC 8259) in UTF-8, ended by a newline, which this wire never sends
inside an object. That is all the framing there is: what came is kept until a newline comes, however TCP cut or joined
it. README.md beside this file specifies each event with its fields.

Whoever breaks a rule is sent an ``error`` with a reason from ``events.REASONS``. Errors of framing are fatal, since
nobody knows where the next message starts. A client ignores events that it does not know, so that an old client can
use a newer server.

Not supported: several rooms, files, edits; confusable names beyond NFKC (a Cyrillic "a" looks like a Latin one).
"""

import json
import unicodedata
from json.encoder import (
    encode_basestring as quote,
)  # C; quotes and control characters escaped, the rest as it is

from lab.chat import events
from lab.chat.events import WireError

READ_JSON = (
    json.JSONDecoder().raw_decode
)  # (object, where it ended), in half of json.loads's time on a short line
BLANKS = " \t\r\n"  # what RFC 8259 allows around an object
FIRST_BYTE = b"{"  # every connection on this wire starts with it: how a server tells the wires apart
MAX_LINE_BYTES = 16_384  # with its newline: the plaintext of one TLS record (RFC 8446 section 5.1)
MAX_TEXT_CHARACTERS = 1_000  # even written all in \uXXXX pairs, that is 12,000 bytes and fits in a line
MAX_NAME_CHARACTERS = 32
MAX_ID_CHARACTERS = 64
MAX_PASSWORD_CHARACTERS = 256
USERS_PER_LINE = 100  # 100 names of 32 characters of 4 bytes fit in a line
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")  # letters to Unicode, and to NFKC

REQUESTS = {
    "join": events.Join, "say": events.Say, "msg": events.SayTo, "who": events.ListUsers, "nick": events.Rename,
    "leave": events.Leave,
}  # fmt: skip
REPLIES = {
    "welcome": events.Welcome, "joined": events.Joined, "left": events.Left, "renamed": events.Renamed,
    "said": events.Said, "private": events.SaidTo, "users": events.Users, "notice": events.Notice,
    "error": events.Refused,
}  # fmt: skip
WORDS = {kind: word for word, kind in (REQUESTS | REPLIES).items()}
NOT_SENT = ("everyone", "changed", "closing")  # fields that this wire has no need of
OPTIONAL = ("password", "id", "time")
KINDS = {"time": int, "names": list, "offers": list}  # every other field is a string
FIELDS = {
    kind: [
        (name, KINDS.get(name, str), name in OPTIONAL) for name in kind.__match_args__ if name not in NOT_SENT
    ]
    for kind in WORDS
}


def is_text(text: str) -> bool:
    """Whether it may be said. A line break would let it imitate another message; half a surrogate pair is not text."""
    if not 0 < len(text) <= MAX_TEXT_CHARACTERS:
        return False
    return text.isprintable() or all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in text)


def check_name(name: str) -> str:
    """Return the name in its one form (NFKC, no blanks around it, single ones inside). Raises WireError.

    Refused: what cannot be printed or seen, and what imitates a line of the server's or a message on the report wire:
    ``*** John Connected ***``, ``<John> hi``, ``!Exit``, ``/msg``.
    """
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable() or not INVISIBLE.isdisjoint(name):
        raise WireError("bad_name")
    if (
        unicodedata.category(name[0])[0] == "M"
    ):  # it would sit on the character before it, which is not the name's
        raise WireError("bad_name")
    if name[0] in "!/*{" or "<" in name or ">" in name or "***" in name:
        raise WireError("name_imitates")
    return name


class JsonWire:
    """One side of a connection on this wire: a server receives requests, a client replies.

    Every line that is encoded is filled up with blanks to a multiple of ``pad_to`` bytes (JSON ignores them): an
    eavesdropper on TLS sees lengths, and after this only how many blocks.
    """

    name = "json"
    read_bytes = MAX_LINE_BYTES
    separate_messages = 0  # a newline ends each, so any number can be sent at once
    unique_names = True
    welcomes = True  # the answer to a name is a Welcome
    gap_after_name_s = 0.0
    has_commands = True  # as events; a text is never a command
    commands: dict[str, events.Request] = {}
    check_name = staticmethod(check_name)

    def __init__(self, server: bool = False, pad_to: int = 0):
        self._kinds = REQUESTS if server else REPLIES
        self._pad_to = pad_to
        self._rest = b""  # of a line that is not whole yet
        self._names: tuple[str, ...] = ()  # of a user list that goes on in the next line

    def feed(self, data: bytes) -> list:
        """Return the events that ``data`` completes; a line that breaks a rule is a ``WireError`` in the list."""
        data = self._rest + data if self._rest else data
        *lines, self._rest = data.split(b"\n")
        found: list = []
        for line in lines:
            try:
                if (event := self._read(line)) is not None:
                    found.append(event)
            except WireError as error:
                found.append(error)
        if len(self._rest) >= MAX_LINE_BYTES:
            self._rest = b""
            found.append(WireError("too_long"))
        return found

    def encode(self, event: events.Request | events.Reply) -> bytes:
        """Return the line of an event; nothing where this wire does not know it. Raises WireError for a bad text."""
        kind = type(event)
        if kind is events.Said:  # Said and Say come by the million, so they are written out
            id_ = f',"id":{quote(event.id)}' if event.id is not None else ""
            time = f',"time":{event.time}' if event.time is not None else ""
            line = f'{{"event":"said","name":{quote(event.name)},"text":{quote(event.text)}{id_}{time}}}\n'.encode()
        elif kind not in WORDS or kind is events.Users and event.changed:
            return b""
        elif kind in (events.Say, events.SayTo) and not is_text(event.text):
            raise WireError("bad_text", id=event.id)
        elif kind is events.Say:
            id_ = f',"id":{quote(event.id)}' if event.id is not None else ""
            line = f'{{"event":"say","text":{quote(event.text)}{id_}}}\n'.encode()
        elif kind is events.Users:
            parts = range(0, len(event.names) or 1, USERS_PER_LINE)
            lines = [{"names": event.names[i : i + USERS_PER_LINE], "more": True} for i in parts]
            del lines[-1]["more"]
            return b"".join(self._line("users", members) for members in lines)
        else:
            return self._line(WORDS[kind], {name: getattr(event, name) for name, _, _ in FIELDS[kind]})
        return self._padded(line) if self._pad_to else line

    def _line(self, word: str, members: dict) -> bytes:
        members = {"event": word} | {name: value for name, value in members.items() if value is not None}
        line = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        return self._padded(line) if self._pad_to else line

    def _padded(self, line: bytes) -> bytes:
        return line[:-1] + b" " * (-len(line) % self._pad_to) + b"\n"

    def _read(self, line: bytes) -> events.Request | events.Reply | None:
        """Return the event in a line; None for one of a newer server, or a list that goes on. Raises WireError."""
        if len(line) >= MAX_LINE_BYTES:
            raise WireError("too_long")
        try:
            text = line.decode().strip(BLANKS)
            members, end = READ_JSON(text)
        except UnicodeDecodeError:
            raise WireError("bad_utf8") from None
        except (ValueError, RecursionError):  # (ValueError also for a number of more than 4300 digits)
            raise WireError("bad_json") from None
        if end < len(text) or not isinstance(members, dict):
            raise WireError("bad_json")
        if not isinstance(word := members.get("event"), str):
            raise WireError("bad_event")
        if (kind := self._kinds.get(word)) is None:
            if self._kinds is REPLIES:
                return None
            raise WireError("unknown_event")
        event = _event(kind, members)
        if kind is events.Users:
            self._names += event.names
            if members.get("more"):
                return None
            event, self._names = events.Users(self._names), ()
        return event


def _event(kind: type, members: dict) -> events.Request | events.Reply:
    """Return the event with these members; those that it does not know are ignored. Raises WireError."""
    arguments = {}
    for name, wanted, optional in FIELDS[kind]:
        value = members.get(name)
        if value is None and optional:
            continue
        if type(value) is not wanted:
            raise WireError(
                "bad_event", f"the event {members['event']} needs {name!r} as a {wanted.__name__}"
            )
        if wanted is list:
            if not all(isinstance(item, str) for item in value):
                raise WireError("bad_event", f"{name!r} must hold strings alone")
            value = tuple(value)
        arguments[name] = value
    event = kind(**arguments)
    if kind is events.Say or kind is events.SayTo:
        if event.id is not None and not (0 < len(event.id) <= MAX_ID_CHARACTERS and event.id.isprintable()):
            raise WireError("bad_event", "an id needs 1 to 64 characters that can be printed")
        if not is_text(event.text):
            raise WireError("bad_text", id=event.id)
    elif kind is events.Join:
        if len(event.password or "") > MAX_PASSWORD_CHARACTERS:
            raise WireError("bad_event", f"a password has {MAX_PASSWORD_CHARACTERS} characters at most")
        return events.Join(check_name(event.name), event.password)
    return event
