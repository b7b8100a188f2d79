"""Conversations to be overheard on TLS, recorded many at once: somebody types, or a bot answers in a stream.

    plan(seed) -> Conversations -> batches: their servers, one tap, all clients at the same time -> one capture a batch

Each conversation has a chat server of its own and two clients on TLS 1.3. **typing**: Alice presses keys, each of which
sends a ``Typing`` notice, and then sends the sentence; her connection is the one to observe. **topic**: Alice asks, and
the bot answers her with a private message for each token; hers again. Both stay for ``STAY_S``, so that the length of
the connection reveals nothing. They mostly wait, so a hundred of them take little of a processor; each begins at a time
of its own. The recorded times are the kernel's, and nothing is sped up.
"""

import queue
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.chat import events
from lab.chat.client import ChatClient
from lab.chat.features.cures import CURES, PAD_BYTES, Sender
from lab.chat.features.private import Private
from lab.chat.features.restrictions import TlsOnly
from lab.chat.features.typing_notices import TypingNotices
from lab.chat.login import Login
from lab.chat.server import ChatServer
from lab.harness import paces
from lab.harness.remote_chat import STEP_S
from lab.harness.session import LOOPBACK
from lab.harness.tap import RecordingError, Tap
from lab.harness.tls_contexts import SERVER_NAME, contexts
from lab.harness.variant import Variant

AT_ONCE = 112  # conversations of a batch
LARGEST_FRAME = 2_048  # bytes; those of the handshake have up to 948. So a whole batch fits into the buffer
STAY_S = 12.0  # in the room, at least
ENTER_MS = 300  # from the last key of a sentence to the one that sends it
SPREAD = 0.3  # of that time, in which the conversations of a batch begin
ANSWERS, ANSWERS_CURED = 3, 2  # of each bot about each topic
CURABLE_JITTERS = paces.JITTERS[:2]  # typists that the attack can read; for others there is nothing to cure
AUTHORS = {author.name: author for author in (*paces.TYPISTS, *paces.BOTS)}


@dataclass(frozen=True)
class Conversation:
    """What is played; the fields of ``lab.exposure.traces.Trace`` with the same names. ``seed`` is its own alone."""

    kind: str
    label: str
    author: str
    seed: int
    cure: str


def plan(seed: int = 0, labels: int | None = None) -> list[Conversation]:
    """Return all conversations in the order of recording; ``labels`` keeps the first sentences and topics alone."""
    planned = []
    for cure in CURES:
        typists = [one for one in paces.TYPISTS if cure == "none" or one.jitter in CURABLE_JITTERS]
        planned += [
            ("typing", label, one.name, cure) for label in paces.SENTENCES[:labels] for one in typists
        ]
        answers = ANSWERS if cure == "none" else ANSWERS_CURED
        planned += [
            ("topic", label, one.name, cure)
            for label in paces.TOPICS[:labels]
            for one in paces.BOTS * answers
        ]
    dice = random.Random(f"plan {seed}")
    dice.shuffle(planned)  # so that a busy moment of the machine is nobody's property
    seeds = dice.sample(range(1_000_000_000), len(planned))
    return [Conversation(*one[:3], own, one[3]) for one, own in zip(planned, seeds, strict=True)]


def record_batch(
    path: Path, conversations: list[Conversation], stay_s: float = STAY_S
) -> list[dict[str, Any]]:
    """Play conversations at the same time, each for at least ``stay_s``, and record them into one capture.

    Return for each, in their order, the ``ports`` of the connection to observe (client, server), and the ``waited_ms``
    that its cure cost a request on average. Raises RecordingError where anybody did not receive what was sent.
    """
    with ExitStack() as stack:
        server_tls, client_tls = contexts(stack, Variant("1.3", "json"))
        servers = []
        for one in conversations:
            features = [TlsOnly(), Private(), TypingNotices()]
            pad_to = PAD_BYTES.get(one.cure, 0)
            server = ChatServer(LOOPBACK, 0, server_tls, lambda line: None, features=features, pad_to=pad_to)
            servers.append(stack.enter_context(server))
        tap = stack.enter_context(Tap(path, [server.port for server in servers], snap_length=LARGEST_FRAME))
        pool = stack.enter_context(ThreadPoolExecutor(len(conversations)))
        began = time.monotonic()
        running = []
        for one, server in zip(conversations, servers, strict=True):
            pad_to = PAD_BYTES.get(one.cure, 0)
            login = Login(
                "", LOOPBACK, server.port, client_tls, "json", pad_to=pad_to, server_name=SERVER_NAME
            )
            running.append(pool.submit(_play, one, login, began, stay_s))
        observed = [future.result() for future in running]
        tap.stop()
        return observed


def _play(conversation: Conversation, login: Login, began: float, stay_s: float) -> dict[str, Any]:
    """Play one conversation; ``began`` is when its batch did."""
    dice = random.Random(conversation.seed)
    begin = began + dice.uniform(0, stay_s * SPREAD)
    _sleep_until(begin)
    with ExitStack() as stack:
        clients = []
        for name in ("Alice", "Bob"):
            clients.append(ChatClient(replace(login, name=name)).connect())
            stack.callback(clients[-1].leave)
        alice, bob = clients
        if conversation.kind == "topic":
            alice.request(events.SayTo("Bob", "What should I know?"))
            _receive(bob, "What should I know?")
        speaker, listener = (alice, bob) if conversation.kind == "typing" else (bob, alice)
        turn = time.monotonic() + dice.uniform(0.2, 1.0)
        with Sender(speaker, conversation.cure, random.Random(f"chaff {conversation.seed}")) as sender:
            for pause_s, request in _requests(conversation):
                turn += pause_s
                _sleep_until(turn)
                sender.send(request)
            _sleep_until(begin + stay_s)
        _receive(listener, "".join(getattr(request, "text", "") for _, request in _requests(conversation)))
        assert alice.connection
        return {"ports": [alice.connection.local[1], login.port], "waited_ms": sender.waited_ms}


def _requests(conversation: Conversation) -> list[tuple[float, events.Request]]:
    """Return what is sent, each with the pause before it in seconds."""
    author, label, seed = AUTHORS[conversation.author], conversation.label, conversation.seed
    if conversation.kind == "typing":
        keys = [(pause_s, events.Typing()) for pause_s in (0.0, *paces.key_intervals_s(author, label, seed))]
        return [*keys, (author.interval_s(ENTER_MS * author.mean, random.Random(seed)), events.Say(label))]
    tokens = paces.answer_tokens(label, seed)
    pauses = paces.token_intervals_s(author, tokens, seed)
    return [(pause_s, events.SayTo("Alice", token)) for pause_s, token in zip(pauses, tokens, strict=True)]


def _receive(client: ChatClient, text: str) -> None:
    """Wait until others have sent this text, in one message or in several. Raises RecordingError."""
    received = ""
    while received != text:
        try:
            event = client.events.get(timeout=STEP_S)
        except queue.Empty:
            raise RecordingError(f"{client.name} received {received!r}, not {text!r}") from None
        if isinstance(event, events.Said | events.SaidTo) and event.name != client.name:
            received += event.text
        elif isinstance(event, events.Lost):
            raise RecordingError(f"{client.name} lost the connection: {event.reason}")


def _sleep_until(when: float) -> None:
    time.sleep(max(0.0, when - time.monotonic()))
