"""The report's wire format: bytes to events and back. No socket, thread or clock in here.

Theory of operation. One TCP connection carries raw bytes without framing, and both sides take *one read for one
message*. That is the format's great fault, and its lesson: TCP is a byte stream, so two quick sends may arrive as one
read, and a long one as several. Nothing in this module can mend that; it can only read safely whatever arrives.

    client to server        event               server to every client       event
    ----------------------  ------------------  ---------------------------  -------------------
    the first read          Join(name)          *** NAME Connected ***       Announced(name)
    !ShowUserHasConnected   Announce()          <NAME> TEXT                  Said(name, text)
    !GetAllActiveUsers      ListUsers(True)     a pickled list of str        Users(names)
    !Exit                   Leave()             any other text               Text(text)
    anything else           Say(text)

Text is UTF-8; where a cut fell inside a character, U+FFFD stands for the broken half.
"""

import pickle
import pickletools
import re
from typing import Any

from lab.chat import events
from lab.chat.events import Event, WireError

READ_BYTES = 1024  # how much both sides of the report read at once
MAX_NAME_CHARACTERS = 64  # the report had no limit; a name stands before every message, so ours has one
MAX_USERS = 10_000  # a longer list is not believed
PICKLE_PROTOCOL = 4  # what Python 3.8 to 3.13 write by default, and what the report's trace shows

COMMANDS: dict[bytes, events.Request] = {
    b"!ShowUserHasConnected": events.Announce(),
    b"!GetAllActiveUsers": events.ListUsers(everyone=True),
    b"!Exit": events.Leave(),
}
COMMAND_BYTES: dict[type[Event], bytes] = {type(event): data for data, event in COMMANDS.items()}
TEXTS = {  # what is said in these words, its fields in braces
    events.Join: "{name}",
    events.Say: "{text}",
    events.SaidTo: "<{name} to {to} alone> {text}",
    events.Announced: "*** {name} Connected ***",
    events.Renamed: "*** {name} is now {to} ***",
    events.Notice: "*** {text} ***",
    events.Refused: "*** {text} ***",
    events.Text: "{text}",
}
ANNOUNCED = re.compile(r"\*\*\* (.+) Connected \*\*\*", re.DOTALL)
SAID = re.compile(r"<([^>]*)> (.*)", re.DOTALL)


def check_name(name: str) -> str:
    """Return the name without the blanks around it. Raises WireError with the reason why it cannot be used.

    Not checked, as in the report (**lesson**): whether somebody else has the name, and whether it imitates a line
    of the server's, as ``*** John Connected ***`` does.
    """
    name = name.strip()
    if not name:
        raise WireError("bad_name", "the name is empty")
    if len(name) > MAX_NAME_CHARACTERS:
        raise WireError("bad_name", f"the name is longer than {MAX_NAME_CHARACTERS} characters")
    if not name.isprintable():
        raise WireError("bad_name", "the name holds characters that cannot be printed")
    if name.encode() in COMMANDS:
        raise WireError("bad_name", f"{name} is a command, not a name")
    return name


class ReportWire:
    """One side of a connection on this wire: a server receives requests, a client replies."""

    name = "report"
    read_bytes = READ_BYTES
    framed = False  # one read is one message, so each is best sent by itself
    welcomes = False  # nothing comes back for a name
    unique_names = False  # (lesson)
    has_commands = False  # as events: what a user types travels as it is, and the server may find one in it
    commands = COMMANDS  # texts that are one all the same
    check_name = staticmethod(check_name)

    def __init__(self, server: bool = False, pad_to: int = 0, named: bool = False):
        self._server, self._named = server, named  # padding needs framing, which this wire lacks

    def feed(self, read: bytes) -> list[Event | WireError]:
        """Return the events in one read. A name that cannot be used is a ``WireError`` in the list."""
        if not self._server:
            return [*read_replies(read)]
        if self._named:
            return [read_request(read)]
        self._named = True
        try:
            return [events.Join(check_name(read.decode(errors="replace")))]
        except WireError as error:
            return [error]

    @staticmethod
    def encode(event: Event) -> bytes:
        """Return the bytes of an event; none where this wire does not know it."""
        if isinstance(event, events.Users):
            return pickle.dumps([*event.names], protocol=PICKLE_PROTOCOL)
        return COMMAND_BYTES.get(type(event)) or as_text(event).encode(errors="replace")


def as_text(event: Event) -> str:
    """Return the text by which an event travels; none where it does not travel as text."""
    if isinstance(event, events.Said):  # these come by the million, so they are written out
        return f"<{event.name}> {event.text}"
    if isinstance(event, events.Refused) and event.closing:
        return f"*** Refused: {event.text} ***"
    return TEXTS.get(type(event), "").format(**vars(event))


def read_request(read: bytes) -> events.Request:
    """Return the request in one read of the server's, after the first."""
    return COMMANDS.get(read) or events.Say(read.decode(errors="replace"))


def read_replies(read: bytes) -> list[events.Reply]:
    """Return the events in one read of a client's: one, or more where a user list was joined to its neighbours.

    The report's client tells a list from text by whether the bytes are UTF-8. A pickle starts with 0x80, which never
    starts a UTF-8 character, so a list is found behind text too. Joined *texts* cannot be told apart (**lesson**).
    Never raises: what is not understood is returned as Text.
    """
    replies: list[events.Reply] = []
    while read:
        try:
            read.decode()
            break
        except UnicodeDecodeError as error:
            start = read.find(b"\x80", error.start)
        try:
            users, used = read_users(read[start:] if start >= 0 else b"")
        except WireError:  # a cut character, or a list cut in two: show what there is
            break
        if start:
            replies.append(_read_text(read[:start]))
        replies.append(users)
        read = read[start + used :]
    return replies + ([_read_text(read)] if read else [])


def _read_text(data: bytes) -> events.Reply:
    text = data.decode(errors="replace")
    if match := ANNOUNCED.fullmatch(text):
        return events.Announced(match[1])
    if match := SAID.fullmatch(text):
        return events.Said(match[1], match[2])
    return events.Text(text)


def read_users(data: bytes) -> tuple[events.Users, int]:
    """Return the user list at the start of ``data`` and how many bytes it took.

    ``pickle.loads`` on bytes from the network runs whatever the sender likes (**lesson**). Here nothing is ever run:
    only the opcodes that a list of strings needs are known (``pickletools`` has the full table), and all others are
    refused, above all those that import and call. Raises WireError for anything but a whole list of strings.
    """
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    try:
        for opcode, argument, position in pickletools.genops(data):
            match opcode.name:
                case "PROTO" | "FRAME":
                    pass
                case "EMPTY_LIST":
                    stack.append([])
                case "MARK":
                    stack.append(None)
                case "SHORT_BINUNICODE" | "BINUNICODE" | "BINUNICODE8" | "UNICODE":
                    stack.append(argument)
                case "MEMOIZE":
                    memo[len(memo)] = stack[-1]
                case "PUT" | "BINPUT" | "LONG_BINPUT":
                    memo[argument] = stack[-1]
                case "GET" | "BINGET" | "LONG_BINGET":  # a name that stands in the list twice
                    stack.append(memo[argument])
                case "APPEND":
                    stack[-2].append(stack.pop())
                case "APPENDS":
                    mark = stack.index(None)
                    stack[mark - 1].extend(stack[mark + 1 :])
                    del stack[mark:]
                case "STOP":
                    (names,) = stack
                    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                        raise ValueError("it is not a list of names")
                    if len(names) > MAX_USERS:
                        raise ValueError(f"it has more than {MAX_USERS} names")
                    return events.Users(tuple(names)), (position or 0) + 1
                case other:
                    raise ValueError(f"no list of names needs the pickle opcode {other}")
        raise ValueError("its end is missing")
    except Exception as error:  # genops raises ValueError, EOFError, struct.error, ... on a broken pickle
        raise WireError("bad_event", f"a broken user list: {error}") from error
