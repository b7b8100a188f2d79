"""A client that uses TLS "if possible" does without when its hello fails, and Mallory sees to it that it fails.

She takes the server's place, answers the hello in plaintext, and passes on what then comes in plaintext. Two
things stop her: a server that takes TLS alone, and a client that was told to use TLS and never does without.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab.chat.client import ChatClient
from lab.chat.login import ChatError, Login
from lab.chat.tls import client_context
from lab.harness.attack_lan import in_the_servers_place, recorded_attack
from lab.harness.bare_socket import BareSocket
from lab.harness.certificates import issue
from lab.harness.lesson_lan import chat_server
from lab.harness.remote_chat import ConsoleLog, dial_from
from lab.harness.scenarios import Truth, scenario
from lab.harness.tap import RecordingError
from lab.harness.tls_contexts import SERVER_NAME
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Host, Lan

SECRET = "the password is swordfish"
NO_TLS = b"*** This server speaks plaintext ***"


@scenario(notebook="10")
def downgrade(path: Path) -> Truth:
    """A client with "TLS if possible" says all in plaintext, unless the server or the client insists; at PC 1."""
    brandon = "Brandon"
    with (
        tempfile.TemporaryDirectory() as folder,
        recorded_attack(path, "PC1", "server", "switch") as (lan, mallory, truth),
        in_the_servers_place(lan, mallory, lan["PC1"]),
    ):
        made = issue(folder, [SERVER_NAME])
        tls = ["--cert", str(made.certificate), "--key", str(made.key)]
        with chat_server(lan, options=tls) as log:
            fallen = fall_back(lan, lan["PC1"], brandon, made.ca, log)
        with chat_server(lan, options=[*tls, "--tls-only"]):
            refused = fall_back(lan, lan["PC1"], brandon, made.ca)
        with _no_tls_at_mallorys(lan):
            insisting = {"refusal": _refusal(lan, lan["PC1"], brandon, made.ca)}
    outcomes = {
        "if possible": fallen,
        "server with --tls-only": refused,
        "client with --tls": insisting,
    }
    return truth | {"secret": SECRET, "outcomes": outcomes}


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


def _refusal(lan: Lan, client: Host, name: str, ca: Path) -> str:
    """Return why the kit's own client does not connect. It tries once, and never without TLS."""
    login = Login(name, lan["server"].address, REPORT_PORT, client_context(ca), dial=dial_from(client))
    try:
        ChatClient(replace(login, server_name=SERVER_NAME)).connect()
    except ChatError as error:
        return str(error)
    raise RecordingError("the client has connected over TLS, which Mallory does not have")


def fall_back(
    lan: Lan, client: Host, name: str, ca: Path, log: ConsoleLog | None = None, line: str = SECRET
) -> Truth:
    """Have a client fall back to plaintext; return what made it, what Mallory reads, and the server's answer.

    ``log`` is the console of a server that lets her in; without one, the server must refuse her.
    """
    with (
        BareSocket(client) as victim,
        BareSocket(lan["Mallory"]) as upstream,
        _no_tls_at_mallorys(lan) as (mallory, answered),
    ):
        refusal = _refusal(lan, client, name, ca)
        answered.result()  # or the end of that connection would close the next
        victim.connect(lan["server"].address, REPORT_PORT, no_delay=True)  # without TLS: this is the fault
        mallory.accept()
        upstream.connect(lan["server"].addresses[1], REPORT_PORT, no_delay=True)
        read = []
        for said in (name, line) if log else (name,):
            victim.say(said.encode())
            read.append(mallory.hear(until=said.encode()).decode())
            upstream.say(said.encode())
            if log:
                log.wait_for(f"*** {name} Connected ")
        answer = upstream.hear(until=line.encode()) if log else upstream.hear_to_the_end()
        mallory.say(answer)
        victim.hear(until=answer)
        for one in (victim, mallory, upstream):
            one.leave()
    return {"refusal": refusal, "read": read, "answer": answer.decode()}
