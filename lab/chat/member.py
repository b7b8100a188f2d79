"""A member of the room, and what is posted to members: the items on the broadcaster's queue."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lab.chat.connection import Connection
from lab.chat.events import Event
from lab.chat.wires import Wire


@dataclass(eq=False)
class Member:
    name: str
    connection: Connection
    wire: Wire
    key: str = ""  # by which its name is compared, see ``names``
    leaving: bool = False  # a feature has ended its conversation
    dropped: str | None = None  # why the broadcaster has cut it off
    gone: threading.Event = field(default_factory=threading.Event)  # set when its connection is let go of


Posted = Event | Callable[[], Event]  # an event, or what returns it when its turn comes


@dataclass(slots=True)
class Post:
    """An event for everyone, or for ``to`` alone. A member arrives with a Welcome and departs with a Lost."""

    event: Posted
    to: Iterable[Member] | None = None
    sender: Member | None = None
