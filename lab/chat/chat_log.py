"""The state of a chat window as plain data, without tkinter: users, status, the line for each event."""

import time
from dataclasses import dataclass

from lab.chat import events
from lab.chat.events import Event, printable
from lab.chat.report_wire import as_text


@dataclass(frozen=True)
class Line:
    """One line of the chat box. ``kind`` is own, other, private, notice or trouble; ``when`` seconds since 1970."""

    kind: str
    text: str
    when: float = 0
    past: bool = False  # said before we came

    @property
    def clock(self) -> str:
        """Hours and minutes, with the day where it is another than today's."""
        then = time.localtime(self.when)
        today = then[:3] == time.localtime()[:3]
        return time.strftime("%H:%M" if today else "%d %b %H:%M", then)


@dataclass
class ChatLog:
    """The state of one chat window; ``take`` brings it up to date with an event and returns the new line, if any."""

    name: str
    users: tuple[str, ...] = ()
    lost: str | None = None
    unread: int = 0  # lines of others since somebody last looked
    watched: bool = True  # whether somebody looks

    def take(self, event: Event) -> Line | None:
        self._keep_users(event)
        if isinstance(event, events.Lost):
            if event.reason is None:
                return None
            self.lost = event.reason
        if isinstance(event, events.Users | events.Welcome):
            return None
        said_s = event.time if isinstance(event, events.Said) else None
        past = said_s is not None
        line = Line(self._kind(event), line_for(event, self.name), said_s or time.time(), past)
        if line.kind in ("other", "private") and not past and not self.watched:
            self.unread += 1
        return line

    def note(self, text: str) -> Line:
        """Return a line of our own, such as the answer to /help."""
        return Line("notice", printable(text), time.time())

    def look(self, watched: bool) -> None:
        """Note whether somebody looks at the window now."""
        self.watched = watched
        if watched:
            self.unread = 0

    def _keep_users(self, event: Event) -> None:
        match event:
            case events.Users(names):
                self.users = tuple(printable(name) for name in names)
            case events.Welcome(name):
                self.name = name
            case events.Joined(name) if name not in self.users:
                self.users += (printable(name),)
            case events.Left(name):
                self.users = tuple(user for user in self.users if user != printable(name))
            case events.Renamed(name, to):
                if name == self.name:
                    self.name = to
                self.users = tuple(printable(to) if user == printable(name) else user for user in self.users)

    def _kind(self, event: Event) -> str:
        match event:
            case events.Lost() | events.Refused():
                return "trouble"
            case events.Said(name):
                return "own" if name == self.name else "other"
            case events.SaidTo():
                return "private"
            case _:
                return "notice"


def line_for(event: Event, me: str = "") -> str:
    """Return the event as the one line that people read, with nothing in it that a terminal would obey."""
    match event:
        case events.Users(names):
            text = "Users: " + ", ".join(names)
        case events.Lost(reason):
            text = f"*** Connection lost: {reason or 'we left'} ***"
        case events.Welcome(name, offers):
            text = f"*** Welcome, {name}{': ' if offers else ''}{', '.join(offers)} ***"
        case events.SaidTo(name, to, text):
            text = f"[private, to {to}] {text}" if name == me else f"[private, from {name}] {text}"
        case events.Joined(name):
            text = as_text(events.Announced(name))
        case events.Left(name):
            text = f"*** {name} Disconnected ***"
        case events.Refused(_, text):
            text = f"*** Refused: {text} ***"
        case _:
            text = as_text(event)
    return printable(text)
