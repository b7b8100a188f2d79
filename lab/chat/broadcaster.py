"""The one thread that delivers.

Any thread posts events on one queue. The broadcaster takes *everything* that is on it, encodes each event once for each
wire, joins what it has, and hands every member that one piece with one ``send`` that never waits. What is posted in the
meantime makes the next batch, so batches grow with the load and need no timer. (The cost of a chat server is the number
of its ``send`` calls. A thread for each client that writes makes more of them, not fewer.)

    client threads --> queue --> broadcaster: [take all] [encode, join] [send to each member once]
                                          a full socket: kept for later, up to a bound, then dropped

Arrivals and departures travel in the same queue. So all members see the same events in the same order, and from a
member's arrival to its departure nobody but the broadcaster sends to its connection, without any lock. A ``Welcome`` to
one member makes it arrive, a ``Lost`` makes it depart; an empty ``Lost`` only wakes the thread.
"""

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from lab.chat import events
from lab.chat.connection import ConnectionLost, reason, shut_down
from lab.chat.features import Feature
from lab.chat.member import Member, Post, Posted
from lab.chat.wires import Wire

MAX_UNSENT_BYTES = 1 << 20  # what is kept for a member that does not read, before it is dropped
MAX_BATCH_CHARACTERS = 1 << 17  # of text: so that one batch alone drops nobody
MAX_SEPARATE = 8  # messages sent one by one on a wire without framing; if there are more, they are joined
MAX_QUEUED = 4_000  # posts that may wait; then whoever posts waits, and TCP makes its sender wait
RETRY_S = 0.02  # how soon a full socket is tried again


class Broadcaster:
    """The queue and its thread. Any thread may call the methods; ``features`` see what is delivered."""

    def __init__(self, features: Sequence[Feature]):
        self.closing = threading.Event()  # then nobody is sent anything any more
        self.queue: queue.SimpleQueue[Post] = queue.SimpleQueue()
        self._features = features
        self._taken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broadcast")
        self.start = self._thread.start
        # For its own thread alone:
        self._members: dict[Member, None] = {}  # as far as their arrivals have been delivered
        self._wires: dict[str, Wire] = {}  # of the members, any one's: all encode alike
        self._behind = False  # whether some member has not taken all of it

    def close(self) -> None:
        """Return when all that is queued has been delivered."""
        self.closing.set()
        self.queue.put(Post(events.Lost(None), ()))  # wakes the thread up
        self._thread.join()

    def post(self, event: Posted, to: Iterable[Member] | None = None, sender: Member | None = None) -> None:
        """Have an event delivered to everyone, or to some alone. Waits while too much is queued."""
        if self.closing.is_set():
            return
        if self.queue.qsize() > MAX_QUEUED:
            self._taken.clear()
            self._taken.wait(1)
        self.queue.put(Post(event, to, sender))

    def arrive(self, member: Member, welcome: events.Welcome) -> None:
        self.queue.put(Post(welcome, [member]))

    def depart(self, member: Member) -> None:
        """Return when the member has all that was posted before, as far as it reads, and is sent nothing more."""
        self.queue.put(Post(events.Lost(None), [member]))
        while self._thread.is_alive() and not member.gone.wait(RETRY_S):
            pass

    def _run(self) -> None:
        while not (self.closing.is_set() and self.queue.empty()):
            batch, characters, seen = [], 0, -1
            try:
                batch.append(self.queue.get(timeout=RETRY_S if self._behind else None))
                # Give up the interpreter's lock for as long as that makes the queue grow: client threads that have read
                # something wait for it. What they post costs no further ``send`` in this batch.
                while seen < (waiting := self.queue.qsize()) < MAX_QUEUED:
                    seen = waiting
                    time.sleep(0)
                while characters < MAX_BATCH_CHARACTERS:
                    characters += len(getattr(batch[-1].event, "text", ""))
                    batch.append(self.queue.get_nowait())
            except queue.Empty:
                pass
            self._taken.set()
            for feature in self._features:
                feature.store(batch)
            self._deliver(batch)

    def _deliver(self, batch: list[Post]) -> None:
        """Encode each event once for each wire; a member sent anything of its own has a copy with that in it."""
        shared: defaultdict[str, list[bytes]] = defaultdict(list)  # by wire
        own: dict[Member, list[bytes]] = {}
        departed: list[Member] = []
        for post in batch:
            event = post.event() if callable(post.event) else post.event
            if post.to is None:
                for wire in self._wires.values():
                    if data := wire.encode(event):
                        shared[wire.name].append(data)
                        for member, pieces in own.items():
                            if member.wire.name == wire.name and member in self._members:
                                pieces.append(data)
                if isinstance(event, events.Said):
                    for feature in self._features:
                        feature.heard(event)
                continue
            for member in post.to:
                if isinstance(event, events.Welcome):
                    self._members[member], self._wires[member.wire.name] = None, member.wire
                    greetings = (greeting for feature in self._features for greeting in feature.greet(member))
                    own[member] = [member.wire.encode(greeting) for greeting in (event, *greetings)]
                elif isinstance(event, events.Lost):
                    own.setdefault(member, [*shared[member.wire.name]])
                    del self._members[member]
                    departed.append(member)
                elif member in self._members:
                    own.setdefault(member, [*shared[member.wire.name]]).append(member.wire.encode(event))
        self._behind = False
        for member in self._members | own:
            connection = member.connection
            pieces = own.get(member) or shared[member.wire.name]
            if len(pieces) > 1 and (member.wire.framed or len(pieces) > MAX_SEPARATE):
                pieces[:] = [b"".join(pieces)]  # once for all who share it
            try:
                unsent = connection.send_nowait(pieces) if pieces or connection.unsent_bytes else 0
                if unsent:
                    self._behind = True
                    if unsent > MAX_UNSENT_BYTES:
                        raise ConnectionLost(f"does not read: {unsent} bytes are waiting")
            except (OSError, ValueError) as error:
                member.dropped = member.dropped or reason(error)
                shut_down(connection.socket)  # its own thread wakes up, and takes it out of the room
        for member in departed:
            member.gone.set()
        if departed:
            self._wires = {member.wire.name: member.wire for member in self._members}
