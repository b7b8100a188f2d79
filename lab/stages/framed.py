"""Stage 4, framed: messages have boundaries, whatever TCP cuts or joins.

    listen(4096) --> accept --> TCP_NODELAY --> a thread for each client: recv --> JsonWire --> lock --> sendall to each

From here on the wire is the kit's json wire: one object a line. ``JsonWire`` keeps what a read has left over until the
rest of the line comes, so a read may end anywhere (fault 1). Nothing is pickled, names are checked, and arriving and
leaving are events that the server sends by itself, also for a client that vanishes (fault 4). A line that breaks the
wire's rules ends its connection. Faults 2 and 3 are still here, and names are not unique.
"""

import argparse
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from lab.chat import events
from lab.chat.events import WireError
from lab.chat.json_wire import JsonWire

BACKLOG = 4096  # connections that may wait to be accepted
READ_BYTES = 1024
encode = JsonWire().encode


class Server:
    """Accept, and a thread for each client, which sends what its client says to everyone."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0):
        self.listener = socket.create_server((host, port), backlog=BACKLOG)
        self.port: int = self.listener.getsockname()[1]
        self.users: list[str] = []
        self.clients: list[socket.socket] = []
        self.lock = threading.Lock()

    def serve(self) -> None:
        while True:
            client, address = self.listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve_client, args=[client, address], daemon=True).start()

    def serve_client(self, client: socket.socket, address: tuple[str, int]) -> None:
        where = f"(IP: {address[0]} | Remote addr: {address[1]})"
        messages = read_messages(client)
        join = next(messages, None)
        if not isinstance(join, events.Join):
            client.close()
            return
        name = join.name
        with contextlib.suppress(OSError):
            client.sendall(encode(events.Welcome(name)))
        self.clients.append(client)
        self.users.append(name)
        print(f"*** {name} Connected {where} ***", flush=True)
        self.send_to_all(encode(events.Joined(name)))
        for message in messages:
            if isinstance(message, events.Leave | WireError):
                break
            self.handle(name, message)
        self.users.remove(name)
        self.clients.remove(client)  # fault 2: without the lock
        self.send_to_all(encode(events.Left(name)))
        client.close()
        print(f"*** <{name}> {where} Disconnected ***", flush=True)

    def handle(self, name: str, message: events.Event) -> None:
        if isinstance(message, events.ListUsers):
            self.send_to_all(encode(events.Users(tuple(self.users))))
        elif isinstance(message, events.Say):
            self.send_to_all(encode(events.Said(name, message.text, message.id)))

    def send_to_all(self, data: bytes) -> None:
        with self.lock:
            for client in self.clients:
                with contextlib.suppress(OSError):  # this client has vanished
                    client.sendall(data)  # fault 3: waits until the client reads


def read_messages(client: socket.socket) -> Iterator[events.Event | WireError]:
    wire = JsonWire(server=True)
    with contextlib.suppress(OSError):
        while data := client.recv(READ_BYTES):
            yield from wire.feed(data)  # none, one or more


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9898, help="0 for any free port (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        server = Server(options.host, options.port)
    except (OSError, OverflowError) as error:
        parser.exit(2, f"{parser.prog}: cannot listen on {options.host} port {options.port}: {error}\n")
    print("Allowing Connections...")
    print(f"Listening on {options.host} port {server.port}; Ctrl-C ends.", flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        print("Close Connections...")
    return 0


if __name__ == "__main__":
    sys.exit(main())
