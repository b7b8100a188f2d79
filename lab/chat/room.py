"""The room: who is in it, and the one thread that delivers.

Theory of operation. Any thread posts events on one queue. The broadcaster takes *everything* that is on it, encodes
each event once for each wire, joins what it has, and hands every member that one piece with one ``send`` that never
waits. What is posted in the meantime makes the next batch, so batches grow with the load and need no timer. (The cost of
a chat server is the number of its ``send`` calls. A thread for each client that writes, the textbook's answer, makes
more of them, not fewer.)

    client threads --> queue --> broadcaster: [take all] [store] [encode, join] [send to each member once]
                                          a full socket: kept for later, up to a bound, then dropped

Arrivals and departures travel in the same queue. So all members see the same events in the same order, the history that
a new user is sent ends exactly where the present begins, and from a member's arrival to its departure nobody but the
broadcaster sends to its connection: no lock is held while sending, since none is needed.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lab.chat import events
from lab.chat.connection import Connection
from lab.chat.events import WireError, name_key
from lab.chat.features import Feature
from lab.chat.wires import Wire

MAX_UNSENT_BYTES = 1 << 20  # what is kept for a member that does not read, before it is dropped
MAX_BATCH_CHARACTERS = 1 << 17  # of text: so that one batch alone drops nobody
MAX_QUEUED = 4_000  # posts that may wait; then whoever posts waits, and TCP makes its sender wait
MAX_MEMBERS = 20_000
RETRY_S = 0.02  # how soon a full socket is tried again
QUIET_ABOVE = 500  # members; beyond, arrivals and departures are not announced: they would be most traffic


@dataclass(eq=False)
class Member:
    """Somebody in the room. ``leaving`` ends its conversation; ``dropped`` says why the room gave it up."""

    name: str
    connection: Connection
    wire: Wire
    leaving: bool = False
    dropped: str | None = None

    def drop(self, reason: str) -> None:
        """Cut the connection; the member's own thread then takes it out of the room."""
        self.dropped = self.dropped or reason
        self.connection.abort()


@dataclass(slots=True)
class Post:
    """An event for everyone, or for the members ``to`` alone."""

    event: events.Reply
    to: tuple[Member, ...] | None = None
    sender: Member | None = None


@dataclass(slots=True)
class Arrival:
    member: Member


@dataclass(slots=True)
class Mark:
    """``done`` is set when the broadcaster has come this far."""

    done: threading.Event = field(default_factory=threading.Event, init=False)


@dataclass(slots=True)
class Departure(Mark):
    member: Member


class Audience:
    """The broadcaster's members on one wire, and what this batch has for them: ``pieces[None]`` is for everyone."""

    def __init__(self, wire: Wire):
        self.wire = wire  # any member's: all encode alike
        self.members: dict[Member, None] = {}
        self.pieces: dict[Member | None, list[bytes]] = {None: []}


class Room:
    """Members and their broadcaster. ``console`` gets lines for people."""

    def __init__(
        self, console: Callable[[str], None], features: Iterable[Feature] = (), max_members: int = MAX_MEMBERS
    ):
        self.features = tuple(features)
        self.offers = tuple(word for feature in self.features for word in feature.offers)
        self.closing = threading.Event()  # then nobody needs to be sent who leaves
        self._console, self._max_members = console, max_members
        self._lock = threading.Lock()  # guards the three below, and is never held while sending
        self._present: dict[Member, None] = {}  # in order of arrival
        self._keys: Counter[str] = Counter()  # names in their form for comparing
        self._unique: dict[str, Member] = {}  # members on a wire where names are
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._taken = threading.Event()
        self._hearing = [feature for feature in self.features if type(feature).heard is not Feature.heard]
        # The broadcaster's own: who is sent what, by wire, and who has not taken all of it yet.
        self._audiences: dict[str, Audience] = {}
        self._behind: set[Member] = set()
        self._thread = threading.Thread(target=self._broadcast, name="broadcast")

    # --- for any thread ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start the features and the broadcaster. Raises OSError."""
        for feature in self.features:
            feature.open(self)
        self._thread.start()

    def close(self) -> None:
        """End the broadcaster once it has delivered what is queued; every member must have left."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
        for feature in self.features:
            feature.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Who is in the room, in order of arrival."""
        with self._lock:
            return tuple(member.name for member in self._present)

    def find(self, name: str) -> Member | None:
        """Return the member of that name; of several on the report wire, the one who came first."""
        key = name_key(name)
        with self._lock:
            if self._keys[key] and key not in self._unique:
                return next(member for member in self._present if name_key(member.name) == key)
            return self._unique.get(key)

    def join(self, member: Member, password: str | None = None) -> None:
        """Take a name and a place. Raises WireError."""
        for feature in self.features:
            feature.admit(member.name, password, member.connection.peer[0])
        with self._lock:
            if len(self._present) >= self._max_members:
                raise WireError("room_full")
            self._take_name(member, member.name)
            self._present[member] = None
            self._queue.put(Arrival(member))
        if member.wire.welcomes:  # on the other wire, clients announce themselves when they like
            self.announce(events.Joined(member.name), events.Announced(member.name))
        else:
            self.announce(events.Joined(member.name), users=False)

    def leave(self, member: Member) -> None:
        """Give name and place back; returns when the broadcaster has let go of the connection."""
        departure = Departure(member)
        with self._lock:
            self._free_name(member)
            del self._present[member]
            self._queue.put(departure)
        self.announce(events.Left(member.name))
        departure.done.wait()

    def rename(self, member: Member, name: str) -> None:
        """Raises WireError where the name is taken."""
        with self._lock:
            before = member.name
            self._free_name(member)
            try:
                self._take_name(member, name)
            except WireError:
                self._take_name(member, before)
                raise
            member.name = name
        self.announce(events.Renamed(before, name))

    def handle(self, member: Member, request: events.Request) -> bool:
        """Whether a feature has taken care of the request. Raises WireError."""
        return any(feature.handle(member, request) for feature in self.features)

    def post(
        self, event: events.Reply, to: Iterable[Member] | None = None, sender: Member | None = None
    ) -> None:
        """Have an event delivered to everyone, or to some alone. Waits while too much is queued."""
        if self._queue.qsize() > MAX_QUEUED:
            self._taken.clear()
            self._taken.wait(1)
        self._queue.put(Post(event, None if to is None else tuple(to), sender))

    def post_users(self) -> None:
        """The user list, to everyone whose wire wants it unasked."""
        with self._lock:  # queued under the lock, so that lists arrive in the order in which they became true
            self._queue.put(Post(events.Users(tuple(member.name for member in self._present), changed=True)))

    def announce(self, *events: events.Reply, users: bool = True) -> None:
        """Post that the list has changed."""
        if len(self._present) > QUIET_ABOVE or self.closing.is_set():
            return
        if (
            users
        ):  # first: where TCP joins the two, unpickling stops at the list's end and does not see the text
            self.post_users()
        for event in events:
            self.post(event)

    def settle(self, seconds: float) -> None:
        """Return when what is queued now has been sent, or kept for those who do not read; or after ``seconds``."""
        mark = Mark()
        self._queue.put(mark)
        mark.done.wait(seconds)

    def _take_name(self, member: Member, name: str) -> None:
        key = name_key(name)
        # On the report wire names are not unique (lesson); but a name that is unique on the other is not given away.
        if self._keys[key] if member.wire.unique_names else key in self._unique:
            raise WireError("name_taken")
        self._keys[key] += 1
        if member.wire.unique_names:
            self._unique[key] = member

    def _free_name(self, member: Member) -> None:
        key = name_key(member.name)
        self._keys[key] -= 1
        if not self._keys[key]:
            del self._keys[key]
        if member.wire.unique_names:
            del self._unique[key]

    # --- the broadcaster ---------------------------------------------------------------------------------------------

    def _broadcast(self) -> None:
        more = True
        while more:
            batch = self._take()
            if None in batch:  # close() was called
                more = False
                batch.remove(None)
            for member in [*self._behind]:
                self._send(member, [b""])
            if batch:
                self._deliver(self._store(batch) if self.features else batch)

    def _take(self) -> list:
        """Return everything that is queued, up to a bound; nothing when it is time to try the full sockets again."""
        batch: list = []
        size, seen = 0, -1
        try:
            batch.append(self._queue.get(timeout=RETRY_S if self._behind else None))
            # Give up the interpreter's lock for as long as that makes the queue grow. Client threads that have read
            # something are waiting for it. What they post costs nothing more in this batch, and a ``send`` to every
            # member in the next one.
            while seen < (waiting := self._queue.qsize()) < MAX_QUEUED:
                seen = waiting
                time.sleep(0)
            while size < MAX_BATCH_CHARACTERS:
                if type(item := batch[-1]) is Post:
                    size += len(getattr(item.event, "text", ""))
                batch.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        self._taken.set()
        return batch

    def _store(self, batch: list) -> list:
        """Hand what was said to the features, to keep it; where one cannot, its senders are sent a refusal instead."""
        said = [item.event for item in batch if type(item) is Post and type(item.event) is events.Said]
        try:
            for feature in self.features if said else ():
                feature.store(said)
            return batch
        except OSError as error:
            self._console(f"Not stored, so not delivered: {len(said)} messages: {error}")
        for item in batch:
            if type(item) is Post and type(item.event) is events.Said:
                item.event = events.Refused("not_stored", events.REASONS["not_stored"], item.event.id)
                item.to = (item.sender,)
        return batch

    def _deliver(self, batch: list) -> None:
        """Encode each event once for each wire; a member that is sent anything of its own has a copy with that in it."""
        lists = [
            item
            for item in batch
            if type(item) is Post and type(item.event) is events.Users and item.to is None
        ]
        newest_list = lists[-1] if lists else None  # of several for everyone, only the last is worth sending
        settled: list[tuple[Mark, list[bytes]]] = []
        for item in batch:
            if type(item) is Post:
                if item.to is not None:
                    for member in item.to:
                        self._add(member, member.wire.encode(item.event))
                elif type(item.event) is not events.Users or item is newest_list:
                    for audience in self._audiences.values():
                        if audience.members and (data := audience.wire.encode(item.event)):
                            for pieces in audience.pieces.values():
                                pieces.append(data)
                    if self._hearing and type(item.event) is events.Said:
                        for feature in self._hearing:
                            feature.heard(item.event)
            elif type(item) is Arrival:
                self._arrive(item.member)
            else:
                settled.append((item, self._depart(item.member) if type(item) is Departure else []))
        for audience in self._audiences.values():
            common = audience.pieces.pop(None)
            for member in audience.members if common else audience.pieces:
                self._send(member, audience.pieces.get(member, common))
            audience.pieces = {None: []}
        for mark, pieces in settled:
            if type(mark) is Departure:
                self._send(mark.member, pieces)
                self._behind.discard(mark.member)
            mark.done.set()

    def _arrive(self, member: Member) -> None:
        audience = self._audiences.setdefault(member.wire.name, Audience(member.wire))
        audience.members[member] = None
        audience.pieces[member] = []
        for event in (
            events.Welcome(member.name, self.offers),
            *(e for f in self.features for e in f.greet(member)),
        ):
            self._add(member, member.wire.encode(event))

    def _add(self, member: Member, data: bytes) -> None:
        """Add something that this member alone is sent."""
        audience = self._audiences.get(member.wire.name)
        if data and audience and member in audience.members:  # else it has left, or has not arrived yet
            if member not in audience.pieces:
                audience.pieces[member] = [*audience.pieces[None]]
            audience.pieces[member].append(data)

    def _depart(self, member: Member) -> list[bytes]:
        """Let go of a member; returns what it is still to be sent."""
        audience = self._audiences[member.wire.name]
        del audience.members[member]
        return audience.pieces.pop(member, None) or [*audience.pieces[None]]

    def _send(self, member: Member, pieces: list[bytes]) -> None:
        """Send the pieces, or keep what does not fit."""
        if len(pieces) > 1 and len(pieces) > member.wire.separate_messages:
            pieces[:] = [b"".join(pieces)]
        if member.dropped:
            self._behind.discard(member)
            return
        try:
            for data in pieces:
                member.connection.send_nowait(data)
        except (OSError, ValueError) as error:  # its own thread finds out too
            member.drop(str(error))
        if unsent := member.connection.unsent_bytes:
            self._behind.add(member)
            if unsent > MAX_UNSENT_BYTES:
                member.drop(f"does not read: {unsent} bytes are waiting")
        elif self._behind:
            self._behind.discard(member)
