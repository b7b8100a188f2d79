"""The report's wire format: bytes in, events out, and back again. No socket, thread or clock in here.

Theory of operation. One TCP connection carries raw bytes without any framing, and both sides take *one read for one
message*. That is the format's great fault, and its lesson: TCP is a byte stream, so two quick sends may arrive as one
read and a long one as several. Nothing in this module can mend that; it can only read whatever arrives safely.

    client to server                 meaning            event
    the first read                   the user's name    Join(name)
    !ShowUserHasConnected            announce me        Announce()
    !GetAllActiveUsers               send the list      ListUsers()
    !Exit                            I leave            Leave()
    anything else                    a chat message     Say(text)

    server to every client           when               event
    *** NAME Connected ***           on Announce        Connected(name)
    <NAME> TEXT                      on Say             Said(name, text)
    a pickled list of str            on ListUsers and   Users(names)
                                     on Leave
    any other text                   a refusal          Text(text)

Each event has ``to_bytes()``; ``read_request`` and ``read_reply`` are the way back. Text is UTF-8; where a cut fell
inside a character, U+FFFD stands for the broken half. The pickled list is read opcode by opcode and nothing in it is
ever run: ``pickle.loads`` on bytes from the network would execute whatever the sender likes.

Not supported: anything that needs framing (private messages, long texts). That is what the lines wire is for.
"""

import pickle
import pickletools
import re
from dataclasses import dataclass

READ_BYTES = 1024  # how much both sides of the report read at once: recv(1024)
MAX_NAME_CHARACTERS = 64  # the report had no limit; a name stands in every line, so ours has one
MAX_USERS = 10_000  # a list longer than this is not believed
PICKLE_PROTOCOL = 4  # Python 3.8 to 3.13 write this one by default, and the report's trace shows it


class WireError(ValueError):
    """The peer sent something that breaks the wire format; the text says what, in one line."""


# --- client to server ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Join:
    """The first read of a connection: who I am."""

    name: str

    def to_bytes(self) -> bytes:
        return self.name.encode()


@dataclass(frozen=True)
class Announce:
    def to_bytes(self) -> bytes:
        return b"!ShowUserHasConnected"


@dataclass(frozen=True)
class ListUsers:
    def to_bytes(self) -> bytes:
        return b"!GetAllActiveUsers"


@dataclass(frozen=True)
class Leave:
    def to_bytes(self) -> bytes:
        return b"!Exit"


@dataclass(frozen=True)
class Say:
    text: str

    def to_bytes(self) -> bytes:
        return self.text.encode()


Request = Join | Announce | ListUsers | Leave | Say
COMMANDS = {command.to_bytes(): command for command in (Announce(), ListUsers(), Leave())}


def read_request(read: bytes, first: bool) -> Request:
    """The event in one read of the server's; ``first`` for the first read of a connection, which is the name.

    Raises WireError (the peer's fault) for a name that cannot be used.
    """
    if first:
        return Join(check_name(read.decode(errors="replace")))
    return COMMANDS.get(read) or Say(read.decode(errors="replace"))


def check_name(name: str) -> str:
    """The name, without the blanks around it, or WireError with the reason why it cannot be used.

    Not checked, since the report does not (**lesson**): whether somebody else has the name already, and whether it
    imitates a line of the server's, as ``*** John Connected ***`` does.
    """
    name = name.strip()
    if not name:
        raise WireError("the name is empty")
    if len(name) > MAX_NAME_CHARACTERS:
        raise WireError(f"the name is longer than {MAX_NAME_CHARACTERS} characters")
    if not name.isprintable():
        raise WireError("the name holds characters that cannot be printed")
    if name.encode() in COMMANDS:
        raise WireError(f"{name} is a command, not a name")
    return name


# --- server to client ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connected:
    name: str

    def to_bytes(self) -> bytes:
        return f"*** {self.name} Connected ***".encode()


@dataclass(frozen=True)
class Said:
    name: str
    text: str

    def to_bytes(self) -> bytes:
        return f"<{self.name}> {self.text}".encode()


@dataclass(frozen=True)
class Users:
    """Everyone in the room, in order of arrival."""

    names: tuple[str, ...]

    def to_bytes(self) -> bytes:
        return pickle.dumps(list(self.names), protocol=PICKLE_PROTOCOL)


@dataclass(frozen=True)
class Text:
    """Text of no known shape: a refusal, or the halves of messages that a byte stream has cut or glued."""

    text: str

    def to_bytes(self) -> bytes:
        return self.text.encode()


Reply = Connected | Said | Users | Text
CONNECTED = re.compile(r"\*\*\* (.+) Connected \*\*\*", re.DOTALL)
SAID = re.compile(r"<([^>]*)> (.*)", re.DOTALL)


def refusal(reason: str) -> bytes:
    """What the server says before it closes a connection that it does not want. The report has no word for it."""
    return f"*** Refused: {reason} ***".encode()


def read_reply(read: bytes) -> list[Reply]:
    """The events in one read of a client's: one, or more where a user list was glued to its neighbours.

    The report's client tells a list from text by whether the bytes are UTF-8. A pickle starts with 0x80, which never
    starts a UTF-8 character, so a list is found behind text too. Glued *texts* cannot be told apart (**lesson**).
    Never raises: what is not understood comes back as Text.
    """
    replies: list[Reply] = []
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


def _read_text(text: str) -> Connected | Said | Text:
    if match := CONNECTED.fullmatch(text):
        return Connected(match[1])
    if match := SAID.fullmatch(text):
        return Said(match[1], match[2])
    return Text(text)


def read_users(data: bytes) -> tuple[Users, int]:
    """The user list at the start of ``data`` and how many bytes it took.

    Knows just the pickle opcodes that a list of strings needs (pickletools has the full table) and refuses every other
    one, above all those that import and call. Raises WireError for anything that is not a whole list of strings.
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
                        raise WireError("a pickle that is not a list of names")
                    if len(names) > MAX_USERS:
                        raise WireError(f"a list of more than {MAX_USERS} users")
                    return Users(tuple(names)), position + 1
                case other:
                    raise WireError(f"a user list with the pickle opcode {other}, which no list of names needs")
    except WireError:
        raise
    except Exception as error:  # genops raises ValueError, EOFError, struct.error, ... on a broken pickle
        raise WireError(f"a broken user list: {error}") from error
    raise WireError("a user list without its end")


def printable(text: str) -> str:
    """The text with every character that a terminal might obey (escape, bell, ...) shown as ``\\xNN`` instead."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
