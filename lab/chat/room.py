"""The room: who is in it, and under which names. What is said in it goes through its ``Broadcaster``."""

import threading
from collections.abc import Callable, Iterable

from lab.chat import events
from lab.chat.broadcaster import Broadcaster
from lab.chat.events import WireError
from lab.chat.features import Feature
from lab.chat.member import Member
from lab.chat.names import name_key

MAX_MEMBERS = 20_000
QUIET_ABOVE = 500  # members; beyond, arrivals and departures are not announced: they would be most traffic


class Room:
    """For any thread. ``console`` gets lines for people."""

    def __init__(self, console: Callable[[str], None], features: Iterable[Feature], max_members: int):
        self.console, self.features, self.max_members = console, tuple(features), max_members
        self.offers = tuple(word for feature in self.features for word in feature.offers)
        self.broadcaster = Broadcaster(self.features)
        self.post, self.closing = self.broadcaster.post, self.broadcaster.closing
        self._lock = threading.Lock()  # guards the next one, and the names of the members in it
        self._present: dict[Member, None] = {}  # in order of arrival
        self._list_queued = False

    def open(self) -> None:
        """Start the features and the broadcaster. Raises OSError."""
        for feature in self.features:
            feature.open(self)
        self.broadcaster.start()

    def close(self) -> None:
        """Deliver what is queued, and nothing after it."""
        self.broadcaster.close()
        for feature in self.features:
            feature.close()

    @property
    def members(self) -> tuple[Member, ...]:
        with self._lock:
            return tuple(self._present)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    def find(self, name: str) -> Member | None:
        """Return the member of that name; of several on the report wire, the one who came first."""
        key = name_key(name)
        with self._lock:
            return next((member for member in self._present if member.key == key), None)

    def join(self, member: Member, password: str | None) -> None:
        """Take a name and a place. Raises WireError."""
        for feature in self.features:
            feature.admit(member, password)
        with self._lock:
            if len(self._present) >= self.max_members:
                raise WireError("room_full")
            self._take_name(member, member.name)
            self._present[member] = None
            self.broadcaster.arrive(member, events.Welcome(member.name, self.offers))
        if member.wire.welcomes:
            self._announce(events.Joined(member.name), events.Announced(member.name))
        else:  # these clients announce themselves when they like
            self._announce(events.Joined(member.name), users=False)

    def leave(self, member: Member) -> None:
        """Give name and place back; return when the broadcaster has let go of the connection."""
        self.broadcaster.depart(member)
        with self._lock:
            del self._present[member]
        self._announce(events.Left(member.name))

    def rename(self, member: Member, name: str) -> None:
        """Raises WireError where the name is taken."""
        before = member.name
        with self._lock:
            self._take_name(member, name)
        self._announce(events.Renamed(before, name))

    def _take_name(self, member: Member, name: str) -> None:
        """Name a member, unless somebody has the name and one of the two needs it for itself alone."""
        key = name_key(name)
        for other in self._present:
            # On the report wire names are not unique (lesson); but one that is unique on the other is not given away.
            if (
                other.key == key
                and other is not member
                and (member.wire.unique_names or other.wire.unique_names)
            ):
                raise WireError("name_taken")
        member.name, member.key = name, key

    def post_users(self) -> None:
        """Have the user list, as it is by then, delivered to everyone whose wire wants it unasked."""
        if not self._list_queued:
            self._list_queued = True
            self.post(self._list_users)

    def _list_users(self) -> events.Users:
        self._list_queued = False
        return events.Users(self.names, changed=True)

    def _announce(self, *changes: events.Event, users: bool = True) -> None:
        if len(self._present) > QUIET_ABOVE:
            return
        if users:
            # First: where TCP joins the two, unpickling stops at the list's end and does not see the text.
            self.post_users()
        for event in changes:
            self.post(event)
