"""Cures for what lengths and times reveal on TLS: ways to send requests that are not "each at once, as it is".

    none       each request at once
    padding    each at once, every line filled up to a block of ``PAD_BYTES`` (any other block: ``--pad``)
    batching   what has come up is sent together, every ``BATCH_S`` seconds
    clock      one line every ``TICK_S`` seconds, whether or not there is anything to say; all of one length
    chaff      each at once, and idle lines at random times between them; all of one length

Requests that wait are joined where nobody misses anything: two keys are one notice, two parts of a streamed text are
one. An idle line is a ``Typing`` with ``idle``, which a server with typing notices passes on and clients ignore. A cure
is for one direction: what the server sends back is padded by its own ``--pad``, and is sent at once.
"""

import random
import threading
import time
from collections import deque
from dataclasses import dataclass

from lab.chat.client import ChatClient
from lab.chat.connection import ConnectionLost, reason
from lab.chat.events import Request, SayTo, Typing, WireError
from lab.chat.login import ChatError, Login

CURES = ("none", "padding", "batching", "clock", "chaff")
WAITING = ("batching", "clock")  # with these a request waits for its turn
IDLING = ("clock", "chaff")  # these send idle lines
PAD_BYTES = {"padding": 128, "clock": 256, "chaff": 128}  # a longer line takes several blocks, which shows
BATCH_S = 1.0
TICK_S = 0.25
CHAFF_S = 0.2  # on average, from one idle line to the next
LONGEST_TEXT = 150  # characters: joined parts of a text still fit in one block
IDLE = Typing(idle=True)


class Sender:
    """Sends one client's requests in the way of a cure; a context manager, which ends when nothing waits any more.

    ``dice`` are thrown for the times of chaff. Leaving the context raises ConnectionLost if something was not sent.
    """

    def __init__(self, client: ChatClient, cure: str, dice: random.Random):
        self._client, self.cure, self._dice = client, cure, dice
        self._waiting: deque[tuple[float, Request]] = deque()  # since when, and what
        self._sent, self._waited_s = 0, 0.0
        self._ending = False
        self._queueing = threading.Lock()  # so that nothing is put into the queue behind its end
        self._failure: ConnectionLost | None = None
        self._thread = threading.Thread(target=self._run, name="cure", daemon=True)

    @property
    def waited_ms(self) -> float:
        """The mean time that a request has waited for its turn."""
        return 1000 * self._waited_s / max(1, self._sent)

    def __enter__(self) -> "Sender":
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.finish()
        if self._failure and kind is None:
            raise self._failure

    def start(self) -> None:
        if self.cure in WAITING + IDLING:
            self._thread.start()

    def finish(self) -> None:
        """Send what still waits, each in its turn; from then on requests are sent at once. May be called twice."""
        with self._queueing:
            self._ending = True
        if self._thread.ident is not None:
            self._thread.join()

    def send(self, request: Request) -> None:
        """Send a request, or let it wait for its turn. Raises ConnectionLost."""
        if self._failure:
            raise self._failure
        with self._queueing:
            if self.cure in WAITING and not self._ending:
                return self._waiting.append((time.monotonic(), request))
        self._request(request)
        self._sent += 1

    def _run(self) -> None:
        turn = time.monotonic()
        try:
            while True:
                turn += self._pause_s()
                time.sleep(max(0.0, turn - time.monotonic()))
                is_ending = self._ending  # read first: from then on nothing more is put into the queue
                if self._waiting:
                    self._send_waiting()
                elif is_ending:
                    return  # so that the farewell, too, leaves in its turn
                elif self.cure in IDLING:
                    self._send_idle()
        except ConnectionLost as error:
            self._failure = error

    def _pause_s(self) -> float:
        if self.cure == "chaff":
            return self._dice.expovariate(1 / CHAFF_S)
        return BATCH_S if self.cure == "batching" else TICK_S

    def _send_waiting(self) -> None:
        """Send what waits; by the clock, one line of it."""
        self._request(self._joined())
        while self._waiting and self.cure == "batching":
            self._request(self._joined())

    def _request(self, request: Request) -> None:
        ChatClient.request(self._client, request)  # not a CuredClient's own, which would let it wait again

    def _send_idle(self) -> None:
        """Send an idle line past ``request``, since nobody waits for an answer to it."""
        assert self._client.connection
        try:
            self._client.connection.send(self._client.wire.encode(IDLE))
        except OSError as error:
            raise ConnectionLost(reason(error)) from error

    def _joined(self) -> Request:
        """Take the request that has waited longest, and those behind it that can be joined to it."""
        request = self._take()
        while self._waiting:
            match request, self._waiting[0][1]:
                case Typing(), Typing():
                    self._take()
                case SayTo(to, text, None), SayTo(same, more, None) if (
                    to == same and len(text + more) <= LONGEST_TEXT
                ):
                    self._take()
                    request = SayTo(to, text + more)
                case _:
                    break
        return request

    def _take(self) -> Request:
        since, request = self._waiting.popleft()
        self._waited_s += time.monotonic() - since
        self._sent += 1
        return request


@dataclass(frozen=True)
class CuredLogin(Login):
    """A login whose client sends in the way of a cure."""

    cure: str = "none"


class CuredClient(ChatClient):
    """A client that sends in the way of a cure, from the welcome to the farewell."""

    def __init__(self, login: CuredLogin):
        super().__init__(login)
        self._sender = Sender(self, login.cure, random.SystemRandom())

    def connect(self) -> ChatClient:
        """Connect and send the name. Raises ChatError, also where the cure would not work."""
        cure = self._sender.cure
        if not self.login.tls or self.login.wire != "json":
            raise ChatError(f"The cure {cure} is for the json wire over TLS: choose both, or no cure.")
        super().connect()
        if cure in IDLING and "typing" not in self.offers:
            self.leave()
            raise ChatError(f"This server would not take the idle lines of {cure}: start it with --typing.")
        self._sender.start()
        return self

    def request(self, request: Request) -> None:
        """Send a request in its turn, or at once where there is nothing to send. Raises ConnectionLost."""
        try:
            has_line = bool(self.wire.encode(request))
        except WireError:  # the text cannot be sent, which is reported at once
            has_line = False
        if has_line:
            self.answered.clear()
            self._sender.send(request)
        else:
            super().request(request)

    def leave(self) -> None:
        """Send what still waits, each in its turn; then leave and close. May be called twice, and never raises."""
        self._sender.finish()
        super().leave()


def client_for(login: Login) -> ChatClient:
    """Return the client of a login, not connected yet."""
    return CuredClient(login) if isinstance(login, CuredLogin) else ChatClient(login)
