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
        match event:
            case events.Users() | events.Welcome() | events.Lost(None):
                return None
            case events.Lost(reason):
                self.lost = reason
        kind, text = describe(event, self.name)
        if not text:  # nothing to show
            return None
        said_s = event.time if isinstance(event, events.Said) else None
        past = said_s is not None
        if kind in ("other", "private") and not past and not self.watched:
            self.unread += 1
        return Line(kind, text, said_s or time.time(), past)

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


def describe(event: Event, me: str = "") -> tuple[str, str]:
    """Return the kind of an event's ``Line``, and its text, with nothing in it that a terminal would obey."""
    kind, text = "notice", as_text(event)
    match event:
        case events.Said(name):
            kind = "own" if name == me else "other"
        case events.SaidTo(name, to, said):
            kind = "private"
            text = f"[private, to {to}] {said}" if name == me else f"[private, from {name}] {said}"
        case events.Refused(_, why):
            kind, text = "trouble", f"*** Refused: {why} ***"
        case events.Lost(why):
            kind, text = "trouble", f"*** Connection lost: {why} ***"
        case events.Users(names):
            text = "Users: " + ", ".join(names)
        case events.Welcome(name, offers):
            text = f"*** Welcome, {name}{': ' if offers else ''}{', '.join(offers)} ***"
        case events.Joined(name):
            text = as_text(events.Announced(name))
        case events.Left(name):
            text = f"*** {name} Disconnected ***"
    return kind, printable(text)
