"""A client that uses TLS "if possible" does without when its hello fails, and Mallory sees to it that it fails.

She takes the server's place, answers the hello in plaintext, and passes on what then comes in plaintext. Two
things stop her: a server that takes TLS alone, and a client that was told to use TLS and never does without.
"""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab.chat import tls
from lab.chat.client import ChatClient
from lab.chat.login import ChatError, Login
from lab.harness.attack_lan import SECOND_ADDRESS, in_the_servers_place, recorded_attack
from lab.harness.bare_socket import BareSocket
from lab.harness.certificates import issue
from lab.harness.lesson_lan import chat_server
from lab.harness.remote_chat import dial_from
from lab.harness.scenarios import Truth, scenario
from lab.harness.tap import RecordingError
from lab.harness.tls_contexts import SERVER_NAME
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Lan

PLACES = ("PC1", "server", "switch")
NAME, SECRET = b"Brandon", b"the password is swordfish"
NO_TLS = b"*** This server speaks plaintext ***"


@scenario(notebook="10")
def downgrade(path: Path) -> Truth:
    """A client with "TLS if possible" says all in plaintext, unless the server or the client insists; at PC 1."""
    with tempfile.TemporaryDirectory() as folder, recorded_attack(path, *PLACES) as (lan, mallory, truth):
        made = issue(folder, [SERVER_NAME])
        context = tls.client_context(made.ca)
        wants = Login(NAME.decode(), lan["server"].address, REPORT_PORT, context, "report")
        wants = replace(wants, dial=dial_from(lan["PC1"]), server_name=SERVER_NAME)
        options = ["--cert", str(made.certificate), "--key", str(made.key)]
        with in_the_servers_place(lan, mallory, lan["PC1"]):
            outcomes = {
                "if possible": _fall_back(lan, wants, options),
                "server with --tls-only": _fall_back(lan, wants, [*options, "--tls-only"]),
            }
            with _no_tls_at_mallorys(lan):
                outcomes["client with --tls"] = {"refusal": _refusal(wants)}
    return truth | {"secret": SECRET.decode(), "outcomes": outcomes}


@contextmanager
def _no_tls_at_mallorys(lan: Lan) -> Iterator[tuple[BareSocket, Future[None]]]:
    """Yield a listening socket of Mallory's, and its answer in plaintext to the hello of a first connection."""
    with BareSocket(lan["Mallory"]) as listener, ThreadPoolExecutor(1) as thread:
        listener.listen(REPORT_PORT)

        def answer_the_hello() -> None:
            listener.accept()
            listener.hear(until=SERVER_NAME.encode())  # in the hello, for all to read (RFC 6066 section 3)
            listener.say(NO_TLS)
            listener.leave()

        answered = thread.submit(answer_the_hello)
        yield listener, answered
        answered.result()


def _refusal(login: Login) -> str:
    """Return why the kit's own client does not connect. It tries once, and never without TLS."""
    try:
        ChatClient(login).connect()
    except ChatError as error:
        return str(error)
    raise RecordingError("the client has connected over TLS, which Mallory does not have")


def _fall_back(lan: Lan, wants: Login, options: Sequence[str]) -> Truth:
    """Have a client fall back to plaintext; return what made it, what Mallory reads, and the server's answer."""
    with (
        chat_server(lan, options=options) as log,
        BareSocket(lan["PC1"]) as brandon,
        BareSocket(lan["Mallory"]) as upstream,
        _no_tls_at_mallorys(lan) as (mallory, answered),
    ):
        refusal = _refusal(wants)
        answered.result()  # or the end of that connection would close the next
        brandon.connect(wants.host, REPORT_PORT, no_delay=True)  # without TLS then: this is the fault
        mallory.accept()
        upstream.connect(SECOND_ADDRESS, REPORT_PORT, no_delay=True)
        brandon.say(NAME)
        read = [mallory.hear(until=NAME)]
        upstream.say(read[0])
        if "--tls-only" in options:
            answer = upstream.hear_to_the_end()
        else:
            log.wait_for(f"*** {wants.name} Connected ")
            brandon.say(SECRET)
            read.append(mallory.hear(until=SECRET))
            upstream.say(read[1])
            answer = upstream.hear(until=SECRET)
        mallory.say(answer)
        brandon.hear(until=answer)
        for one in (brandon, mallory, upstream):
            one.leave()
    return {"refusal": refusal, "read": [piece.decode() for piece in read], "answer": answer.decode()}
