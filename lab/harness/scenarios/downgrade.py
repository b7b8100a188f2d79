"""A client that uses TLS "if possible" does without when its hello fails, and Mallory sees to it that it fails.

She takes the server's place, answers the hello in plaintext, and passes on what then comes in plaintext. Two
things stop her: a server that takes TLS alone, and a client that was told to use TLS and never does without.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab.chat.client import ChatClient
from lab.chat.login import Login
from lab.chat.tls import client_context
from lab.harness.attack_lan import in_the_servers_place, recorded_attack
from lab.harness.bare_socket import BareSocket
from lab.harness.certificates import issue
from lab.harness.lesson_lan import chat_server
from lab.harness.remote_chat import ConsoleLog, dial_from
from lab.harness.scenarios import Truth, scenario
from lab.harness.scenarios.impostor import SECRET
from lab.harness.tls_contexts import SERVER_NAME
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Host, Lan

NO_TLS = b"*** This server speaks plaintext ***"


@scenario(notebook="10")
def downgrade(path: Path) -> Truth:
    """A client with "TLS if possible" says all in plaintext, unless the server or the client insists; at PC 1."""
    outcomes = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        recorded_attack(path, "PC1", "server", "switch") as (lan, mallory, truth),
        in_the_servers_place(lan, mallory, lan["PC1"]),
    ):
        made = issue(folder, [SERVER_NAME])
        options = ["--cert", str(made.certificate), "--key", str(made.key)]
        server, context, dial = lan["server"].address, client_context(made.ca), dial_from(lan["PC1"])
        brandon = Login("Brandon", server, REPORT_PORT, context, dial=dial, server_name=SERVER_NAME)
        with chat_server(lan, options=options) as log:
            outcomes["if possible"] = fall_back(lan, lan["PC1"], brandon, SECRET, log)
        with chat_server(lan, options=[*options, "--tls-only"]):
            outcomes["server with --tls-only"] = fall_back(lan, lan["PC1"], brandon, SECRET)
        with _no_tls_at_mallorys(lan, brandon) as (_, refusal):
            outcomes["client with --tls"] = {"refusal": refusal}
    return truth | {"secret": SECRET, "outcomes": outcomes}


@contextmanager
def _no_tls_at_mallorys(lan: Lan, login: Login) -> Iterator[tuple[BareSocket, str]]:
    """Answer a client's hello in plaintext; yield Mallory's listening socket, and why the client did not connect."""
    with BareSocket(lan["Mallory"]) as mallory, ThreadPoolExecutor(1) as thread:
        mallory.listen()
        connecting = thread.submit(ChatClient(login).connect)  # tries once, and never without TLS
        mallory.accept()
        mallory.hear(until=SERVER_NAME.encode())  # in the hello, for all to read (RFC 6066 section 3)
        mallory.say(NO_TLS)
        mallory.leave()
        yield mallory, str(connecting.exception())


def fall_back(lan: Lan, client: Host, login: Login, line: str, log: ConsoleLog | None = None) -> Truth:
    """Have a client fall back to plaintext; return what made it, what Mallory reads, and the server's answer.

    ``log`` is the console of a server that lets the client in; without one, the server must refuse it.
    """
    with (
        _no_tls_at_mallorys(lan, login) as (mallory, refusal),
        BareSocket(client) as victim,
        BareSocket(lan["Mallory"]) as upstream,
    ):
        victim.connect(login.host, no_delay=True)  # without TLS: this is the fault
        mallory.accept()
        upstream.connect(lan["server"].addresses[1], no_delay=True)
        read = []
        for said in (login.name, line) if log else (login.name,):
            victim.say(said.encode())
            read.append(mallory.hear(until=said.encode()).decode())
            upstream.say(said.encode())
            if log:
                log.wait_for(f"*** {login.name} Connected ")
        answer = upstream.hear(until=line.encode()) if log else upstream.hear_to_the_end()
        mallory.say(answer, to=victim)
        for one in (victim, mallory, upstream):
            one.leave()
    return {"refusal": refusal, "read": read, "answer": answer.decode()}
