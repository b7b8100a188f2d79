"""The room: who is in it, and the one thread that delivers.

Theory of operation. Any thread puts what is to be delivered on one queue; the broadcaster takes *everything* that is on
it, joins it once, and gives each member that one piece with one ``send`` that never waits. What arrives in the meantime
makes the next batch, so batches grow with the load and need no timer. (The cost of a chat server is the number of its
``send`` calls. A thread per client that writes, the textbook's answer, makes more of them, not fewer.)

    client threads --> queue --> broadcaster: [take all] [store] [join] [send to each member once]
                                          a full socket: kept for later, up to a bound, then dropped

Arrivals and departures travel in the same queue. So all members see the same events in the same order, a newcomer's
replay of the past ends exactly where its present begins, and from a member's arrival to its departure nobody but the
broadcaster sends to its connection: no lock is held while sending, since none is needed.

A report member gets the same in the report's wire. There, messages go out one by one while there are few of them:
joined, they would be one read, and the report's clients take one read for one message.
"""

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lab.chat import lines, wire
from lab.chat.connection import Connection
from lab.chat.feature import Feature

MAX_PENDING_BYTES = 1 << 20  # what is kept for a member that does not read, before it is dropped
MAX_BATCH_BYTES = 1 << 18  # a quarter of it, so that one batch alone drops nobody
MAX_QUEUED = 4_000  # deliveries that may wait; then whoever wants to add one waits, and TCP makes its sender wait
MAX_MEMBERS = 20_000
RETRY_S = 0.02  # how soon a full socket is tried again
FEW = 8  # messages that a report member gets one by one
QUIET_ABOVE = 500  # members; beyond, arrivals and departures are not announced: they would be most of the traffic


class Member:
    """Somebody in the room: a name, a wire, a connection, and what is still to be delivered to it."""

    def __init__(self, name: str, connection: Connection, speaks_lines: bool):
        self.name = name
        self.connection = connection
        self.speaks_lines = speaks_lines
        self.leaving = False  # a feature may set it: its thread then ends the conversation
        self.dropped: str | None = None
        self._pending: deque[memoryview] = deque()  # views of bytes that all members who are behind share
        self._pending_bytes = 0

    def __str__(self) -> str:
        host, port = self.connection.peer
        return f"{wire.printable(self.name)} (IP {host}, port {port})"

    # The rest is for the broadcaster alone.

    def deliver(self, data: bytes) -> bool:
        """Send, or keep for later, without waiting. True while something is kept."""
        if self.dropped or not data:
            return bool(self._pending)
        try:
            sealed = self.connection.seal(data)
            sent = 0 if self._pending else self.connection.send_now(sealed)
        except (OSError, ValueError) as error:  # its own thread finds out too
            self.drop(getattr(error, "strerror", None) or str(error))
            return False
        if sent == len(sealed):
            return False
        self._pending.append(memoryview(sealed)[sent:])
        self._pending_bytes += len(sealed) - sent
        return self.flush()

    def flush(self) -> bool:
        """Try again to send what was kept. True while something still is."""
        try:
            while self._pending:
                sent = self.connection.send_now(self._pending[0])
                self._pending_bytes -= sent
                if sent < len(self._pending[0]):
                    self._pending[0] = self._pending[0][sent:]
                    break
                self._pending.popleft()
        except (OSError, ValueError) as error:
            self.drop(getattr(error, "strerror", None) or str(error))
        if self._pending_bytes > MAX_PENDING_BYTES:
            self.drop(f"does not read: {self._pending_bytes} bytes are waiting")
        return bool(self._pending)

    def drop(self, reason: str) -> None:
        self.dropped = self.dropped or reason
        self._pending.clear()
        self._pending_bytes = 0
        self.connection.abort()


@dataclass(slots=True)
class Delivery:
    """Bytes for everyone, or for the members ``to`` alone: ``report`` on that wire, ``line`` on the lines wire.

    Or ``said``: what somebody said, to everyone, which is put into bytes once it is known who is there.
    """

    report: bytes = b""
    line: bytes = b""
    to: tuple[Member, ...] | None = None
    said: lines.Said | None = None
    sender: Member | None = None
    user_list: bool = False  # of several in a batch, only the last is worth sending


@dataclass(slots=True)
class Arrival:
    member: Member


@dataclass(slots=True)
class Departure:
    member: Member
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Settled:
    """Nothing to deliver; only to see how far the broadcaster has come."""

    done: threading.Event = field(default_factory=threading.Event)


class Room:
    """Members and their broadcaster. ``pad_to`` pads lines to blocks of so many bytes (see WIRE.md)."""

    def __init__(
        self,
        console: Callable[[str], None],
        features: Iterable[Feature] = (),
        max_members: int = MAX_MEMBERS,
        pad_to: int = 0,
    ):
        self.features = tuple(features)
        self._hearing = [feature for feature in self.features if type(feature).heard is not Feature.heard]
        self.offers = tuple(word for feature in self.features for word in feature.offers)
        self.closing = threading.Event()  # when all are sent away, nobody needs to be told of each
        self._console = console
        self._max_members, self._pad_to = max_members, pad_to
        self._lock = threading.Lock()  # guards the three below, and is never held while sending
        self._present: dict[Member, None] = {}  # in order of arrival
        self._keys: Counter[str] = Counter()  # names in their form for comparing, see lines.name_key
        self._checked: dict[str, Member] = {}  # those of members on the lines wire, which are unique
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._taken = threading.Event()
        # The broadcaster's own: who gets what it sends, and who has not taken all of it yet.
        self._audience: dict[bool, dict[Member, None]] = {False: {}, True: {}}
        self._behind: set[Member] = set()
        self._thread = threading.Thread(target=self._broadcast, name="broadcast")

    # --- for any thread -----------------------------------------------------------------------------------------------

    def open(self) -> None:
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
        """The member of that name; of several on the report wire, whoever came first."""
        key = lines.name_key(name)
        with self._lock:
            if member := self._checked.get(key):
                return member
            if not self._keys[key]:
                return None
            return next(member for member in self._present if lines.name_key(member.name) == key)

    def admit(self, name: str, password: str | None, host: str) -> None:
        """Ask every feature whether the client at ``host`` may come in. Raises LineError."""
        for feature in self.features:
            feature.admit(name, password, host)

    def join(self, member: Member) -> None:
        """Take a name and a place. Raises LineError."""
        with self._lock:
            if len(self._present) >= self._max_members:
                raise lines.LineError("room_full")
            self._take_name(member, member.name)
            self._present[member] = None
            self._queue.put(Arrival(member))
        if member.speaks_lines:
            self.announce(report=wire.Connected(member.name), event=lines.Joined(member.name))
        elif self._worth_announcing():  # the report's clients announce themselves, when they like
            self.tell(lines=lines.Joined(member.name).to_bytes())

    def leave(self, member: Member) -> None:
        """Give name and place back; returns when the broadcaster has let go of the connection."""
        departure = Departure(member)
        with self._lock:
            self._free_name(member)
            del self._present[member]
            self._queue.put(departure)
        self.announce(report=None, event=lines.Left(member.name))
        departure.done.wait()

    def rename(self, member: Member, name: str) -> None:
        """Raises LineError where the name is taken."""
        with self._lock:
            before = member.name
            self._free_name(member)
            try:
                self._take_name(member, name)
            except lines.LineError:
                self._take_name(member, before)
                raise
            member.name = name
        self.announce(report=wire.Text(f"*** {before} is now {name} ***"), event=lines.Renamed(before, name))

    def handle(self, member: Member, request: lines.Request) -> bool:
        """Whether a feature has taken the request as its business. Raises LineError."""
        return bool(self.features) and any(feature.handle(member, request) for feature in self.features)

    def say(self, member: Member, text: str, id_: str | None = None) -> None:
        """Tell everyone what a member said."""
        self._put(Delivery(said=lines.Said(member.name, text, id_), sender=member))

    def tell(self, report: bytes = b"", lines: bytes = b"", to: Iterable[Member] | None = None) -> None:
        """Deliver bytes to everyone, or to some alone, in each wire's own language."""
        self._put(Delivery(report, lines, None if to is None else tuple(to)))

    def tell_text(self, text: str, to: Iterable[Member] | None = None) -> None:
        """A notice of the server's own."""
        self.tell(wire.Text(f"*** {text} ***").to_bytes(), lines.Notice(text).to_bytes(), to)

    def tell_report_users(self) -> None:
        """The user list, to everyone on the report wire."""
        with self._lock:  # put under the lock, so that lists arrive in the order in which they became true
            users = wire.Users(tuple(member.name for member in self._present))
            self._queue.put(Delivery(report=users.to_bytes(), user_list=True))

    def settle(self, bound_s: float) -> None:
        """Return when what is queued now has been delivered, or kept for who does not read; or after ``bound_s``."""
        mark = Settled()
        self._queue.put(mark)
        mark.done.wait(bound_s)

    def announce(self, report: wire.Reply | None, event: lines.Reply) -> None:
        """That the list has changed: to the report's clients the list and a text, to the others an event."""
        if not self._worth_announcing():
            return
        # The list comes first: where TCP glues the two, unpickling stops at the list's end and does not see the text.
        if len(self._checked) < len(self._present):
            self.tell_report_users()
        self.tell(report.to_bytes() if report else b"", event.to_bytes())

    def _worth_announcing(self) -> bool:
        return len(self._present) <= QUIET_ABOVE and not self.closing.is_set()

    def _take_name(self, member: Member, name: str) -> None:
        key = lines.name_key(name)
        # On the report wire names are not unique (lesson); but nobody there gets a name that somebody here has had
        # checked.
        if self._keys[key] if member.speaks_lines else key in self._checked:
            raise lines.LineError("name_taken")
        self._keys[key] += 1
        if member.speaks_lines:
            self._checked[key] = member

    def _free_name(self, member: Member) -> None:
        key = lines.name_key(member.name)
        self._keys[key] -= 1
        if not self._keys[key]:
            del self._keys[key]
        if member.speaks_lines:
            del self._checked[key]

    def _put(self, delivery: Delivery) -> None:
        if self._queue.qsize() > MAX_QUEUED:
            self._taken.clear()
            self._taken.wait(1)
        self._queue.put(delivery)

    # --- the broadcaster ----------------------------------------------------------------------------------------------

    def _broadcast(self) -> None:
        more = True
        while more:
            batch = self._take()
            if more := not (batch and batch[-1] is None):
                self._behind = {member for member in self._behind if member.flush()}
            else:
                batch.pop()
            if batch:
                self._deliver(self._store(batch))

    def _take(self) -> list:
        """Everything that is queued, up to a bound; nothing when it is time to try the full sockets again."""
        batch, size = [], 0
        try:
            batch.append(self._queue.get(timeout=RETRY_S if self._behind else None))
            self._let_others_speak()
            while batch[-1] is not None and size < MAX_BATCH_BYTES:
                if type(batch[-1]) is Delivery:
                    said = batch[-1].said
                    size += len(said.text) if said else len(batch[-1].line) + len(batch[-1].report)
                batch.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        self._taken.set()
        return batch

    def _let_others_speak(self) -> None:
        """Give up the interpreter's lock for as long as that makes the queue grow.

        Client threads that have read something already are waiting for it. What they have to say costs nothing more
        in this batch, and a ``send`` to every member in the next one.
        """
        seen = -1
        while seen < (waiting := self._queue.qsize()) < MAX_QUEUED:
            seen = waiting
            time.sleep(0)

    def _store(self, batch: list) -> list:
        """Give the features what was said, to keep it; where one cannot, its senders are told, and nobody else."""
        if not self.features:
            return batch
        said = [item.said for item in batch if type(item) is Delivery and item.said]
        try:
            if said:
                for feature in self.features:
                    feature.store(said)
            return batch
        except OSError as error:
            self._console(f"Not stored, so not delivered: {len(said)} messages: {error}")
            return [_not_stored(item) if type(item) is Delivery and item.said else item for item in batch]

    def _deliver(self, batch: list) -> None:
        """Walk the batch once; then one piece for each member, cut and filled where its own differs."""
        pieces: dict[bool, list[bytes]] = {False: [], True: []}
        newest_list = next((item for item in reversed(batch) if type(item) is Delivery and item.user_list), None)
        own: dict[Member, _Own] = {}  # the few members who do not get just what everyone gets
        for item in batch:
            if type(item) is Delivery:
                if said := item.said:
                    # Nobody is there for one of the two: then an empty piece holds its place.
                    pieces[False].append(f"<{said.name}> {said.text}".encode() if self._audience[False] else b"")
                    pieces[True].append(self._padded(said.to_bytes()) if self._audience[True] else b"")
                    for feature in self._hearing:
                        feature.heard(said)
                elif item.to is None:
                    pieces[False].append(b"" if item.user_list and item is not newest_list else item.report)
                    pieces[True].append(self._padded(item.line))
                else:
                    for member in item.to:
                        data = self._padded(item.line) if member.speaks_lines else item.report
                        self._own(own, member).extra.append((len(pieces[True]), data))
            elif type(item) is Arrival:
                self._arrive(item.member, own, len(pieces[True]))
            elif type(item) is Departure:
                self._own(own, item.member).departure = item
                own[item.member].end = len(pieces[True])
                del self._audience[item.member.speaks_lines][item.member]
        for speaks_lines, audience in self._audience.items():
            everything = [piece for piece in pieces[speaks_lines] if piece]
            if speaks_lines or len(everything) > FEW:
                everything = [b"".join(everything)]
            if not any(everything):
                continue  # arrivals and departures alone cost nobody a look
            for member in audience:
                if member not in own:
                    for data in everything:
                        if member.deliver(data):
                            self._behind.add(member)
        for member, its in own.items():
            self._deliver_own(member, its, pieces[member.speaks_lines])
        for item in batch:
            if type(item) is Settled:
                item.done.set()

    def _arrive(self, member: Member, own: dict, position: int) -> None:
        self._audience[member.speaks_lines][member] = None
        own[member] = _Own(start=position)
        if member.speaks_lines:
            welcome = lines.Welcome(member.name, self.offers).to_bytes()
            welcome += b"".join(feature.greet(member) for feature in self.features)
            own[member].extra.append((position, self._padded(welcome)))

    def _own(self, own: dict, member: Member) -> "_Own":
        if member not in own:
            own[member] = _Own() if member in self._audience[member.speaks_lines] else _Own(start=None)
        return own[member]

    def _padded(self, data: bytes) -> bytes:
        if not self._pad_to:
            return data
        return b"".join(lines.pad(line, self._pad_to) for line in data.splitlines(keepends=True))

    def _deliver_own(self, member: Member, its: "_Own", pieces: list[bytes]) -> None:
        if its.start is None:  # it has left already, or has not come yet
            return
        end = len(pieces) if its.end is None else its.end
        mine: list[bytes] = []
        at = its.start
        for position, data in its.extra:
            if position <= end:
                mine += [*pieces[at:position], data]
                at = position
        mine += pieces[at:end]
        for data in mine if not member.speaks_lines and len(mine) <= FEW else [b"".join(mine)]:
            if member.deliver(data):
                self._behind.add(member)
        if its.departure:
            self._behind.discard(member)
            its.departure.done.set()


@dataclass(slots=True)
class _Own:
    """What one member gets in a batch: the common pieces from ``start`` to ``end``, and its own in between."""

    start: int | None = 0
    end: int | None = None
    extra: list[tuple[int, bytes]] = field(default_factory=list)
    departure: Departure | None = None


def _not_stored(item: Delivery) -> Delivery:
    error = lines.Error("not_stored", lines.REASONS["not_stored"], item.said.id)
    return Delivery(wire.Text(f"*** {error.text} ***").to_bytes(), error.to_bytes(), to=(item.sender,))
