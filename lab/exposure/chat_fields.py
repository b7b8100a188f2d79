"""The chat's own messages, named on top of TCP for ``python3 lab dissect``.

``lab.dissect`` knows no chat; this is the hook that it takes. One payload is read as the receivers read it:
on the report wire as one message, on the json wire as the lines that begin and end in it.
"""

from lab.chat import events, report_wire
from lab.chat.events import WireError, printable
from lab.chat.json_wire import FIRST_BYTE, JsonWire
from lab.dissect.fields.frame import Part

SOURCE = "the report, its wire format"
MEANINGS: dict[type, str] = {
    events.Announce: "a command: announce me to everyone",
    events.ListUsers: "a command: send everyone the list of users",
    events.Leave: "a command: I leave",
}


def name_parts(payload: bytes, sport: int, dport: int) -> tuple[str, list[Part]] | None:
    """Return the parts of a chat payload (see ``dissect_frame``); None if it is not the chat's.

    Which side is the server cannot be seen in one frame: it is taken to be the lower port.
    """
    if payload.startswith(FIRST_BYTE) and payload.endswith(b"\n"):
        return "Chat (json wire)", [_line(line) for line in payload.splitlines(keepends=True)]
    if meaning := MEANINGS.get(type(report_wire.read_request(payload))):
        return "Chat (report wire)", [_part("command", payload, meaning)]
    is_users = isinstance(next(iter(report_wire.read_replies(payload)), None), events.Users)
    try:
        payload.decode()
    except UnicodeDecodeError:
        if not is_users:
            return None
    if sport < dport:
        return "Chat (report wire)", _reply(payload)
    meaning = "a chat message, or as the first payload the user's name"
    return "Chat (report wire)", [_part("text", payload, meaning)]


def _reply(payload: bytes) -> list[Part]:
    replies = report_wire.read_replies(payload)
    match replies:
        case [events.Said(name, text)]:
            start = len(payload) - len(text.encode())
            return [
                _part("sender", payload[:start], f"the speaker: {printable(name)}"),
                _part("text", payload[start:], "what is said"),
            ]
        case [events.Announced(name)]:
            return [_part("announcement", payload, f"{printable(name)} has joined")]
        case [events.Users(names)]:
            inside = "a pickled list of strings: " + ", ".join(map(printable, names))
            return [Part("user list", len(payload), text=", ".join(names), meaning=inside, source=SOURCE)]
    return [_part("text", payload, "text from the server, or several messages that TCP has joined")]


def _line(line: bytes) -> Part:
    event, *_ = JsonWire().feed(line) or JsonWire(server=True).feed(line)
    if isinstance(event, WireError):
        meaning = f"not an event of the json wire: {event}"
    else:
        meaning = f"one event of the json wire: {type(event).__name__}"
    return _part("event", line, meaning, "lab/chat/README.md")


def _part(name: str, data: bytes, meaning: str, source: str = SOURCE) -> Part:
    shown = printable(data.decode(errors="replace"))
    return Part(name, len(data), text=shown, meaning=meaning, source=source)
