"""A crowd at a busy server: beyond the backlog the kernel drops the SYN, and the client sends it again."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.chat import events
from lab.chat.report_wire import ReportWire
from lab.harness.bare_socket import BareSocket
from lab.harness.console_log import ConsoleLog
from lab.harness.lesson_lan import CABLE_S, lesson_lan
from lab.harness.manifest import Entry
from lab.harness.remote_chat import RemoteServer
from lab.harness.scenarios import scenario
from lab.harness.tap import RecordingError
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Lan

CLIENTS, FIT = 8, 6  # all; those that a backlog of 5 takes on Linux
SYN_S = 20  # until all of them must have sent a SYN
ESTABLISHED, SYN_SENT = "01", "02"  # states in /proc/net/tcp (proc(5))


@scenario(notebook="07")
def crowd(path: Path) -> Entry:
    """Eight clients connect to a busy server with a backlog of 5, at the server."""
    return connect_while_stopped(path, "lab/stages/nodelay.py")


def connect_while_stopped(path: Path, program: str) -> Entry:
    """Eight clients connect while the server's program is stopped; then it goes on and accepts them."""
    log = ConsoleLog()
    users = [f"user {number}" for number in range(1, CLIENTS + 1)]
    with lesson_lan(path, "server") as lan, ExitStack() as stack:
        server = stack.enter_context(RemoteServer(lan["server"], REPORT_PORT, log.console, program))
        clients = [stack.enter_context(BareSocket(lan["PC1"])) for _ in users]
        threads = stack.enter_context(ThreadPoolExecutor(CLIENTS - FIT))
        with _stopped(server):
            for client in clients[:FIT]:  # one after the other: each is in the backlog before the next SYN
                client.connect(lan["server"].address, REPORT_PORT)
            connecting = [
                threads.submit(client.connect, lan["server"].address, REPORT_PORT) for client in clients[FIT:]
            ]
            _wait_for_syns(lan)
        for done in connecting:
            done.result()
        for user, client in zip(users, clients, strict=True):
            client.say(ReportWire.encode(events.Join(user)))
            log.wait_for(f"*** {user} Connected")
        for client in clients:
            client.say(ReportWire.encode(events.Leave()))
            client.hear_to_the_end()
            client.leave()
        lan.settle()
    return {"room_server": program, "users": users, "cable_s": CABLE_S}


@contextmanager
def _stopped(server: RemoteServer) -> Iterator[None]:
    """Stop the program itself: a SIGSTOP to its stand-in would not be passed on."""
    stand_in = server.process.pid
    program = int(Path(f"/proc/{stand_in}/task/{stand_in}/children").read_text())
    os.kill(program, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(program, signal.SIGCONT)


def _wait_for_syns(lan: Lan) -> None:
    """Wait until every client on PC 1 is connected or has sent its SYN."""
    command = [sys.executable, "-c", "print(open('/proc/net/tcp').read())"]
    deadline, count = time.monotonic() + SYN_S, 0
    while count < CLIENTS:
        if time.monotonic() > deadline:
            raise RecordingError(f"only {count} of {CLIENTS} clients have sent a SYN")
        rows = [line.split() for line in lan["PC1"].run(command).stdout.splitlines()[1:] if line.strip()]
        count = sum(row[3] in (ESTABLISHED, SYN_SENT) for row in rows)
    lan.settle()
