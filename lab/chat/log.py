"""What a chat window shows, as plain data: lines, users, status. No tkinter, so it can be tested without a screen."""

from dataclasses import dataclass, field

from lab.chat import wire
from lab.chat.client import Event, Lost

MAX_LINES = 5_000  # older ones are forgotten, so that a flood cannot fill the memory


@dataclass(frozen=True)
class Line:
    """One line of the chat box. ``kind`` is own, other, notice or trouble."""

    kind: str
    text: str


@dataclass
class ChatLog:
    """The state of one chat window; ``take`` brings it up to date with an event and returns the new line, if any."""

    name: str
    lines: list[Line] = field(default_factory=list)
    users: tuple[str, ...] = ()
    lost: str | None = None

    def take(self, event: Event) -> Line | None:
        if isinstance(event, wire.Users):
            self.users = tuple(wire.printable(name) for name in event.names)
            return None
        if isinstance(event, Lost):
            if event.reason is None:
                return None
            self.lost = event.reason
        line = Line(self._kind(event), line_for(event))
        self.lines.append(line)
        del self.lines[:-MAX_LINES]
        return line

    def _kind(self, event: Event) -> str:
        match event:
            case Lost():
                return "trouble"
            case wire.Said(name, _):
                return "own" if name == self.name else "other"
            case _:
                return "notice"


def line_for(event: Event) -> str:
    """The event as the one line that people read."""
    match event:
        case wire.Users(names):
            return "Users: " + ", ".join(wire.printable(name) for name in names)
        case Lost(reason):
            return f"*** Connection lost: {wire.printable(reason or 'we left')} ***"
        case _:
            return wire.printable(event.to_bytes().decode())
