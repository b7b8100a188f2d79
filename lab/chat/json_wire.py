"""The json wire: the same chat done right. Bytes to events and back; no socket, thread or clock in here.

Theory of operation. A message is one JSON object (RFC 8259) in UTF-8, ended by a newline, which this wire never sends
inside an object. That is all the framing there is: what came is kept until a newline comes, however TCP cut or joined
it. README.md beside this file specifies each event with its fields; a client ignores those that it does not know, so an
old client can use a newer server.

Not supported: several rooms, files, edits; confusable names beyond NFKC (a Cyrillic "a" looks like a Latin one).
"""

import json
import re
from dataclasses import fields
from json.encoder import encode_basestring as quote  # C; escapes quotes and control characters alone
from typing import Any

from lab.chat import events
from lab.chat.events import Event, WireError
from lab.chat.names import check_name

# Returns (object, where it ended), in half of json.loads's time on a short line.
DECODE = json.JSONDecoder().raw_decode
ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
BLANKS = " \t\r\n"  # what RFC 8259 allows around an object
FIRST_BYTE = b"{"  # every connection on this wire starts with it: how a server tells the wires apart
MAX_LINE_BYTES = 16_384  # with its newline: the plaintext of one TLS record (RFC 8446 section 5.1)
# A text has 1,000 characters at most: even written all in \uXXXX pairs, they are 12,000 bytes and fit in a line. Line
# breaks and other control characters would let it imitate another message; half a surrogate pair is not text.
MAX_TEXT_CHARACTERS = 1_000  # as in the next line
TEXT = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,1000}")
MAX_ID_CHARACTERS = 64
MAX_PASSWORD_CHARACTERS = 256
USERS_PER_LINE = 100  # 100 names of 32 characters of 4 bytes fit in a line

REQUESTS = {
    "join": events.Join, "say": events.Say, "msg": events.SayTo, "who": events.ListUsers, "nick": events.Rename,
    "leave": events.Leave, "typing": events.Typing,
}  # fmt: skip
REPLIES = {
    "welcome": events.Welcome, "joined": events.Joined, "left": events.Left, "renamed": events.Renamed,
    "said": events.Said, "private": events.SaidTo, "users": events.Users, "notice": events.Notice,
    "error": events.Refused, "typing": events.Typing,
}  # fmt: skip
MESSAGES = (events.Say, events.SayTo)
WORDS = {kind: word for word, kind in (REQUESTS | REPLIES).items()}
# By the type of a field; others (flags of the server's own) do not travel.
TYPE: dict[Any, Any] = {str: str, str | None: str, int | None: int, bool | None: bool, tuple[str, ...]: tuple}
FIELDS = {
    kind: [(f.name, TYPE[f.type], f.default is None) for f in fields(kind) if f.type in TYPE]
    for kind in WORDS
}


class JsonWire:
    """One side of a connection on this wire: a server receives requests, a client replies.

    Every line that is encoded is filled up with blanks to a multiple of ``pad_to`` bytes (JSON ignores them): an
    eavesdropper on TLS sees lengths, and after this only how many blocks.
    """

    name = "json"
    read_bytes = MAX_LINE_BYTES
    framed = True  # a newline ends each message, so any number can be sent at once
    welcomes = True  # the answer to a name is a Welcome
    unique_names = True
    has_commands = True  # as events; a text is never a command
    commands: dict[bytes, events.Request] = {}
    check_name = staticmethod(check_name)

    def __init__(self, server: bool = False, pad_to: int = 0):
        self._kinds = REQUESTS if server else REPLIES
        self._pad_to = pad_to
        self._rest = b""  # of a line that is not whole yet
        self._names: tuple[str, ...] = ()  # of a user list that goes on in the next line

    def feed(self, data: bytes) -> list[Event | WireError]:
        """Return the events that ``data`` completes; a line that breaks a rule is a ``WireError`` in the list."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        found: list[Event | WireError] = []
        for line in lines:
            try:
                if event := self._read(line):
                    found.append(event)
            except WireError as error:
                found.append(error)
        if len(self._rest) >= MAX_LINE_BYTES:
            self._rest = b""
            found.append(WireError("too_long"))
        return found

    def encode(self, event: Event) -> bytes:
        """Return the line of an event; nothing where this wire does not know it. Raises WireError for a bad text."""
        if isinstance(event, events.Said):  # these come by the million, so they are written out
            id_ = f',"id":{quote(event.id)}' if event.id is not None else ""
            time = f',"time":{event.time}' if event.time is not None else ""
            line = f'{{"event":"said","name":{quote(event.name)},"text":{quote(event.text)}{id_}{time}}}'
        elif type(event) not in WORDS or isinstance(event, events.Users) and event.changed:
            return b""
        elif isinstance(event, events.Users) and len(event.names) > USERS_PER_LINE:
            first, rest = event.names[:USERS_PER_LINE], event.names[USERS_PER_LINE:]
            return self.encode(events.Users(first, more=True)) + self.encode(events.Users(rest))
        elif isinstance(event, MESSAGES) and not TEXT.fullmatch(event.text):
            raise WireError("bad_text", id=event.id)
        else:
            members = {name: getattr(event, name) for name, _, _ in FIELDS[type(event)]}
            given = {name: value for name, value in members.items() if value is not None}
            line = ENCODE({"event": WORDS[type(event)]} | given)
        data = f"{line}\n".encode()
        return data[:-1] + b" " * (-len(data) % self._pad_to) + b"\n" if self._pad_to else data

    def _read(self, line: bytes) -> Event | None:
        """Return the event in a line; None for one of a newer server, or a list that goes on. Raises WireError."""
        if len(line) >= MAX_LINE_BYTES:
            raise WireError("too_long")
        try:
            text = line.decode().strip(BLANKS)
            members, end = DECODE(text)
        except UnicodeDecodeError:
            raise WireError("bad_utf8") from None
        except (ValueError, RecursionError):  # (ValueError also for a number of more than 4300 digits)
            raise WireError("bad_json") from None
        if end < len(text) or not isinstance(members, dict):
            raise WireError("bad_json")
        if not isinstance(word := members.get("event"), str):
            raise WireError("bad_event")
        if (kind := self._kinds.get(word)) is None:
            if self._kinds is REQUESTS:
                raise WireError("unknown_event")
            return None
        arguments = {}
        for name, wanted, optional in FIELDS[kind]:
            value = members.get(name)
            if type(value) is wanted:
                arguments[name] = value
            elif wanted is tuple and type(value) is list and all(isinstance(item, str) for item in value):
                arguments[name] = tuple(value)
            elif value is not None or not optional:
                raise WireError("bad_event", f"the event {word} needs {name!r}, of the right kind")
        event: Event = kind(**arguments)
        if isinstance(event, MESSAGES):
            id = event.id
            if id is not None and not (0 < len(id) <= MAX_ID_CHARACTERS and id.isprintable()):
                raise WireError("bad_event", f"an id has 1 to {MAX_ID_CHARACTERS} printable characters")
            # Most texts are plain, which is found out much sooner than by TEXT.
            plain = event.text.isprintable() and 0 < len(event.text) <= MAX_TEXT_CHARACTERS
            if not plain and not TEXT.fullmatch(event.text):
                raise WireError("bad_text", id=event.id)
        elif isinstance(event, events.Join):
            if len(event.password or "") > MAX_PASSWORD_CHARACTERS:
                raise WireError("bad_event", f"a password has {MAX_PASSWORD_CHARACTERS} characters at most")
            return events.Join(check_name(event.name), event.password)
        elif isinstance(event, events.Users):
            self._names += event.names
            if event.more:
                return None
            event, self._names = events.Users(self._names), ()
        return event
