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

Text is UTF-8; where a cut fell inside a character, U+FFFD stands for the broken half. The pickled list is read opcode
by opcode, and nothing in it is ever run: ``pickle.loads`` on bytes from the network executes whatever the sender likes.

Not supported: anything that needs framing, such as long texts. That is what the json wire is for.
"""

import pickle
import pickletools
import re

from lab.chat import events
from lab.chat.events import WireError

READ_BYTES = 1024  # how much both sides of the report read at once
MAX_NAME_CHARACTERS = 64  # the report had no limit; a name stands before every message, so ours has one
MAX_USERS = 10_000  # a longer list is not believed
PICKLE_PROTOCOL = 4  # what Python 3.8 to 3.13 write by default, and what the report's trace shows

COMMANDS = {
    b"!ShowUserHasConnected": events.Announce(),
    b"!GetAllActiveUsers": events.ListUsers(everyone=True),
    b"!Exit": events.Leave(),
}
BYTES = {type(event): data for data, event in COMMANDS.items()}
ANNOUNCED = re.compile(r"\*\*\* (.+) Connected \*\*\*", re.DOTALL)
SAID = re.compile(r"<([^>]*)> (.*)", re.DOTALL)


def as_text(event: events.Request | events.Reply) -> str:
    """An event as the line that the report's clients show; most of these lines are the wire's bytes as well."""
    match event:
        case events.Said(name, text):
            return f"<{name}> {text}"
        case events.Say(text) | events.Text(text):
            return text
        case events.Join(name):
            return name
        case events.Announced(name) | events.Joined(name):
            return f"*** {name} Connected ***"
        case events.Left(name):
            return f"*** {name} Disconnected ***"
        case events.Renamed(name, to):
            return f"*** {name} is now {to} ***"
        case events.SaidTo(name, to, text):
            return f"<{name} to {to} alone> {text}"
        case events.Refused(_, text, _, closing):
            return f"*** {'Refused: ' if closing else ''}{text} ***"
        case events.Notice(text):
            return f"*** {text} ***"
    return ""


def read_request(read: bytes) -> events.Request:
    """The request in one read of the server's, after the first."""
    return COMMANDS.get(read) or events.Say(read.decode(errors="replace"))


def check_name(name: str) -> str:
    """Return the name without the blanks around it. Raises WireError with the reason why it cannot be used.

    Not checked, as in the report (**lesson**): whether somebody else has the name, and whether it imitates a line of
    the server's, as ``*** John Connected ***`` does.
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
    separate_messages = 8  # so many go out one by one: joined in one send, they would be one read
    unique_names = False  # (lesson)
    welcomes = False  # nothing comes back for a name
    gap_after_name_s = 0.1  # so the report's client leaves a gap there, by opening a window
    has_commands = False  # what a user types travels as it is, and the server may find a command in it
    commands = {
        data.decode(): event for data, event in COMMANDS.items()
    }  # texts that a server takes for these
    check_name = staticmethod(check_name)

    def __init__(self, server: bool = False, pad_to: int = 0, named: bool = False):
        self._server, self._named = server, named  # padding needs framing: there is none

    def feed(self, read: bytes) -> list:
        """Return the events in one read. A name that cannot be used is a ``WireError`` in the list."""
        if not self._server:
            return read_replies(read)
        if self._named:
            return [read_request(read)]
        self._named = True
        try:
            return [events.Join(check_name(read.decode(errors="replace")))]
        except WireError as error:
            return [error]

    @staticmethod
    def encode(event: events.Request | events.Reply) -> bytes:
        """Return the bytes of an event; none where this wire does not know it."""
        match event:
            case events.Said():
                pass
            case events.Users(names):
                return pickle.dumps(list(names), protocol=PICKLE_PROTOCOL)
            case events.Announce() | events.ListUsers() | events.Leave():
                return BYTES[type(event)]
            case events.Welcome() | events.Joined() | events.Left():
                return b""  # its clients announce themselves, and are sent the list
        return as_text(event).encode(errors="replace")


def read_replies(read: bytes) -> list[events.Reply]:
    """The events in one read of a client's: one, or more where a user list was glued to its neighbours.

    The report's client tells a list from text by whether the bytes are UTF-8. A pickle starts with 0x80, which never
    starts a UTF-8 character, so a list is found behind text too. Glued *texts* cannot be told apart (**lesson**).
    Never raises: what is not understood is returned as Text.
    """
    replies: list[events.Reply] = []
    while read:
        try:
            replies.append(_read_text(read.decode()))
            break
        except UnicodeDecodeError as error:
            start = read.find(b"\x80", error.start)
        try:
            users, used = read_users(read[start:]) if start >= 0 else (None, 0)
        except WireError:
            users = None
        if users is None:  # a cut character, or a list cut in two: show what there is
            replies.append(_read_text(read.decode(errors="replace")))
            break
        if start:
            replies.append(_read_text(read[:start].decode(errors="replace")))
        replies.append(users)
        read = read[start + used :]
    return replies


def _read_text(text: str) -> events.Reply:
    if match := ANNOUNCED.fullmatch(text):
        return events.Announced(match[1])
    if match := SAID.fullmatch(text):
        return events.Said(match[1], match[2])
    return events.Text(text)


def read_users(data: bytes) -> tuple[events.Users, int]:
    """Return the user list at the start of ``data`` and how many bytes it took.

    Knows only the pickle opcodes that a list of strings needs (``pickletools`` has the full table) and refuses all
    others, above all those that import and call. Raises WireError for anything but a whole list of strings.
    """
    stack: list = []
    memo: dict[int, object] = {}
    names: list[str] | None = None
    try:
        for opcode, argument, position in pickletools.genops(data):
            match opcode.name:
                case "PROTO" | "FRAME":
                    pass
                case "EMPTY_LIST" if names is None:
                    stack.append(names := [])
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
                    if stack != [names] or names is None or not all(isinstance(name, str) for name in names):
                        raise WireError("bad_event", "a pickle that is not a list of names")
                    if len(names) > MAX_USERS:
                        raise WireError("bad_event", f"a list of more than {MAX_USERS} users")
                    return events.Users(tuple(names)), position + 1
                case other:
                    raise WireError(
                        "bad_event",
                        f"a user list with the pickle opcode {other}, which no list of names needs",
                    )
    except WireError:
        raise
    except Exception as error:  # genops raises ValueError, EOFError, struct.error, ... on a broken pickle
        raise WireError("bad_event", f"a broken user list: {error}") from error
    raise WireError("bad_event", "a user list without its end")
