"""A crowd at a busy server: beyond the backlog the kernel drops the SYN, and the client sends it again."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.chat import events
from lab.chat.report_wire import ReportWire
from lab.harness.bare_socket import BareSocket
from lab.harness.lesson_lan import CABLE_S, leave_chat, lesson_lan
from lab.harness.remote_chat import ConsoleLog, remote_server, wait_until
from lab.harness.scenarios import Truth, scenario
from lab.harness.variant import REPORT_PORT
from lab.net.namespace import Program

CLIENTS, FIT = 8, 6  # all; those that a backlog of 5 takes on Linux
SYN_S = 20  # until all of them must have sent a SYN


@scenario(notebook="07")
def crowd(path: Path) -> Truth:
    """Eight clients connect to a busy server with a backlog of 5, at the server."""
    return connect_while_stopped(path, "lab/stages/nodelay.py")


def connect_while_stopped(path: Path, program: str) -> Truth:
    """Eight clients connect while the server's program is stopped; then it goes on and accepts them."""
    log = ConsoleLog()
    users = [f"user {number}" for number in range(1, CLIENTS + 1)]
    with lesson_lan(path, "server") as lan, ExitStack() as stack:
        server = stack.enter_context(remote_server(lan["server"], REPORT_PORT, log.console, program))
        clients = [stack.enter_context(BareSocket(lan["PC1"])) for _ in users]
        threads = stack.enter_context(ThreadPoolExecutor(CLIENTS - FIT))
        address = lan["server"].address
        with _stopped(server):
            for client in clients[:FIT]:  # one after the other: each is in the backlog before the next SYN
                client.connect(address)
            connecting = [threads.submit(client.connect, address) for client in clients[FIT:]]
            have_sent = lambda: all(client.has_sent_syn() for client in clients)  # noqa: E731
            wait_until(have_sent, SYN_S, "some clients have not sent a SYN")
            lan.settle()
        for done in connecting:
            done.result()
        for user, client in zip(users, clients, strict=True):
            client.say(ReportWire.encode(events.Join(user)))
            log.wait_for(f"*** {user} Connected")
        for client in clients:
            leave_chat(client, ReportWire.encode)
        lan.settle()
    return {"room_server": program, "users": users, "cable_s": CABLE_S}


@contextmanager
def _stopped(server: Program) -> Iterator[None]:
    """Stop the program itself: a SIGSTOP to its stand-in would not be passed on."""
    stand_in = server.pid
    program = int(Path(f"/proc/{stand_in}/task/{stand_in}/children").read_text())
    os.kill(program, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(program, signal.SIGCONT)
