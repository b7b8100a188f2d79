"""The servers that the chat is measured against, each a process of its own: ``python -m tests.bench.servers NAME``.

They print the port that they took and serve until they are ended; ``--port 9898`` makes them recordable as they are.
The kit's own programs (``lab/server.py``, and the stages from the report's server to it) are measured beside them.
"""

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.stages.compare import STAGES
from tests.bench import end_on_sigterm
from tests.support import ROOT

BACKLOG = 4096
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


async def run_asyncio(port: int) -> None:
    """asyncio's streams, as its documentation's chat examples have them: a write to everyone, then drain."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader, writer):
        name = (await reader.read(1024)).decode().strip()
        writers.add(writer)
        try:
            while line := await reader.readline():
                message = f"<{name}> ".encode() + line
                for other in writers:
                    other.write(message)
                for other in tuple(writers):
                    await other.drain()
        except OSError:
            pass
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


async def run_websockets(port: int) -> None:
    """The websockets package: its own broadcast(), compression off."""
    from websockets.asyncio.server import broadcast, serve

    connections = set()

    async def talk(connection):
        name = await connection.recv()
        connections.add(connection)
        try:
            async for message in connection:
                broadcast(connections, f"<{name}> {message}")
        finally:
            connections.discard(connection)

    async with serve(
        talk, "127.0.0.1", port, compression=None, ping_interval=None, backlog=BACKLOG
    ) as server:
        print(list(server.sockets)[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)


NGIRCD = """
[Global]
    Name = irc.lab.test
    Info = benchmark
    Listen = 127.0.0.1
    Ports = {port}
    ServerUID = {user}
    ServerGID = {group}
    MotdPhrase = hello
[Limits]
    ConnectRetry = 60
    MaxConnections = 0
    MaxConnectionsIP = 0
    MaxJoins = 0
    MaxNickLength = 20
    MaxPenaltyTime = 0
    PingTimeout = 3600
    PongTimeout = 3600
[Options]
    DNS = no
    Ident = no
    PAM = no
    NoticeBeforeRegistration = no
"""


def run_ngircd(port: int) -> None:
    """ngircd with its limits lifted."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "ngircd.conf"
        config.write_text(NGIRCD.format(port=port, user=os.getuid(), group=os.getgid()))
        process = subprocess.Popen(
            [ngircd_path(), "-n", "-f", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.05):
                    break
                assert process.poll() is None, "ngircd has ended"
                time.sleep(0.05)
            print(port, process.pid, flush=True)
            sys.stdin.read()
        finally:
            process.terminate()
            process.wait()


def ngircd_path() -> str | None:
    return shutil.which("ngircd") or shutil.which("/usr/sbin/ngircd")


SERVERS = {
    "asyncio": lambda port: asyncio.run(run_asyncio(port)),
    "websockets": lambda port: asyncio.run(run_websockets(port)),
    "ngircd": run_ngircd,
}


@contextlib.contextmanager
def a_core_each():
    """Run what is started within on the last core, and this process on the others from then on, where one may choose.

    Else the scheduler moves servers and clients about, differently each time, and threads that want one lock run slower
    for having two cores.
    """
    if len(CORES) < 2:
        yield
        return
    os.sched_setaffinity(0, CORES[-1:])  # children inherit it
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES[:-1])


earlier: Path | None = None  # a checkout to compare with


@contextlib.contextmanager
def running(name: str):
    """Start one in a process of its own, on a core of its own; yields its port and process id.

    ``ours`` is the program of the lab; ``before`` is that of an earlier checkout, in the folder ``earlier``; ``report``,
    ``nodelay``, ... are the stages.
    """
    is_program = name in STAGES or name.startswith(("ours", "before"))
    if is_program:
        lab = (earlier if name.startswith("before") else ROOT) / "lab"
        program = lab / "stages" / f"{name}.py" if name in STAGES else lab / "server.py"
        command = [sys.executable, str(program), "--port", "0"]
    else:
        command = [sys.executable, "-m", "tests.bench.servers", name]
    with a_core_each():
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    try:
        pid = process.pid
        if is_program:
            port = next(int(found[1]) for line in process.stdout if (found := re.search(r"port (\d+)", line)))
            drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        else:
            drain = None
            port, *other = map(int, process.stdout.readline().split())
            pid = other[0] if other else pid
        yield port, pid
    finally:
        process.stdin.close()  # the word to stop; a signal beside it would break into the tidying up
        if is_program:
            process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if drain:
            drain.wait()
        process.stdout.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.servers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("name", choices=SERVERS)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(argv)
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        SERVERS[options.name](options.port)
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
