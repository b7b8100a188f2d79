"""Cures for what lengths and times reveal: ways to send requests that are not "each at once, as it is".

    none       each request at once
    padding    each at once, every line filled up to a block of ``PAD_BYTES`` (the chat's own ``--pad``)
    batching   what has come up is sent together, every ``BATCH_S`` seconds
    clock      one line every ``TICK_S`` seconds, whether or not there is anything to say; all of one length
    chaff      each at once, and idle lines at random times between them; all of one length

Requests of one kind that wait are joined: two keys are one notice, two tokens are one text. An idle line is a ``Typing``
with ``idle``, which the server passes on and clients ignore. Padding needs both sides, since each pads what it sends.
"""

import random
import threading
import time
from collections import deque
from statistics import mean

from lab.chat.client import ChatClient
from lab.chat.connection import ConnectionLost
from lab.chat.events import Request, SayTo, Typing

PAD_BYTES = {"padding": 128, "clock": 256, "chaff": 128}  # the longest line of these conversations fits
BATCH_S = 1.0
TICK_S = 0.25
CHAFF_S = 0.2  # on average, from one idle line to the next
LONGEST_TEXT = 150  # characters: joined tokens still fit in one block
CURES = ("none", "padding", "batching", "clock", "chaff")
IDLE = Typing(idle=True)


class Sender:
    """Sends one client's requests in the way of a cure; a context manager, which sends at its end what still waits.

    Only the thread that entered it may call ``send``. Leaving it raises ConnectionLost if something was not sent.
    """

    def __init__(self, client: ChatClient, cure: str, seed: int):
        self._client, self._cure = client, cure
        self._dice = random.Random(f"chaff {seed}")
        self._waiting: deque[tuple[float, Request]] = deque()  # since when, and what
        self._waited_s: list[float] = []
        self._ending = threading.Event()
        self._failure: ConnectionLost | None = None
        self._thread = threading.Thread(target=self._run, name="cure", daemon=True)

    @property
    def waited_ms(self) -> float:
        """The mean time that a request has waited for its turn."""
        return 1000 * mean(self._waited_s or [0.0])

    def __enter__(self) -> "Sender":
        if self._cure in ("batching", "clock", "chaff"):
            self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._failure and kind is None:
            raise self._failure

    def send(self, request: Request) -> None:
        """Send a request, or let it wait for its turn. Raises ConnectionLost."""
        if self._cure in ("batching", "clock"):
            self._waiting.append((time.monotonic(), request))
        else:
            self._client.request(request)
            self._waited_s.append(0.0)

    def _run(self) -> None:
        try:
            turn = time.monotonic()
            while not self._ending.wait(max(0.0, (turn := turn + self._pause_s()) - time.monotonic())):
                if self._cure == "batching":
                    self._send_waiting()
                else:
                    self._client.request(self._joined() if self._waiting else IDLE)
            self._send_waiting()
        except ConnectionLost as error:
            self._failure = error

    def _pause_s(self) -> float:
        match self._cure:
            case "batching":
                return BATCH_S
            case "clock":
                return TICK_S
            case _:
                return self._dice.expovariate(1 / CHAFF_S)

    def _send_waiting(self) -> None:
        while self._waiting:
            self._client.request(self._joined())

    def _joined(self) -> Request:
        """Take the request that has waited longest, and those behind it that can be joined to it."""
        request = self._take()
        while self._waiting:
            match request, self._waiting[0][1]:
                case Typing(), Typing():
                    self._take()
                case SayTo(to, text), SayTo(same, more) if to == same and len(text + more) <= LONGEST_TEXT:
                    self._take()
                    request = SayTo(to, text + more)
                case _:
                    break
        return request

    def _take(self) -> Request:
        since, request = self._waiting.popleft()
        self._waited_s.append(time.monotonic() - since)
        return request
