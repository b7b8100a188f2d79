"""Stage 5, broadcaster: one thread delivers, and it waits for nobody.

    a thread for each client: recv --> JsonWire --> queue --> broadcaster: send what fits --> each client
                                                              the rest: kept, up to a bound

The clients' threads only queue. The broadcaster alone knows the clients and sends, so no lock is held while sending,
since none is needed (faults 2 and 3). What a client does not take now is kept for it and tried again; a client with too
much kept is dropped. Both queues are bounded: when the first is full, the readers wait, and so TCP makes the senders
wait. The kit's own server is this idea with batches, limits and features: lab/chat/broadcaster.py.
"""

import argparse
import contextlib
import queue
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
MAX_QUEUED = 1_000  # messages that may wait for the broadcaster
MAX_UNSENT_BYTES = 1 << 20  # that are kept for a client that does not read
RETRY_S = 0.02  # how soon a full socket is tried again
FOREVER_S = 1_000_000
encode = JsonWire().encode


class Server:
    """Accept, a thread for each client, which queues what its client says, and one that sends it to everyone."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0):
        self.listener = socket.create_server((host, port), backlog=BACKLOG)
        self.port: int = self.listener.getsockname()[1]
        self.users: list[str] = []
        self.unsent: dict[socket.socket, bytearray] = {}  # by client; the broadcaster's own
        self.queue: queue.Queue[tuple[socket.socket | None, bytes]] = queue.Queue(MAX_QUEUED)

    def serve(self) -> None:
        threading.Thread(target=self.broadcast, daemon=True).start()
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
        sender = client.dup()  # a second handle of the socket, for the broadcaster, whose sends do not wait
        sender.setblocking(False)
        client.settimeout(FOREVER_S)  # the kernel knows one mode for both handles: this one waits in Python
        self.queue.put((sender, encode(events.Welcome(name))))
        self.users.append(name)
        print(f"*** {name} Connected {where} ***", flush=True)
        self.send_to_all(encode(events.Joined(name)))
        for message in messages:
            if isinstance(message, events.Leave | WireError):
                break
            self.handle(name, message)
        self.users.remove(name)
        self.queue.put((sender, b""))
        self.send_to_all(encode(events.Left(name)))
        client.close()
        print(f"*** <{name}> {where} Disconnected ***", flush=True)

    def handle(self, name: str, message: events.Event) -> None:
        if isinstance(message, events.ListUsers):
            self.send_to_all(encode(events.Users(tuple(self.users))))
        elif isinstance(message, events.Say):
            self.send_to_all(encode(events.Said(name, message.text, message.id)))

    def send_to_all(self, data: bytes) -> None:
        self.queue.put((None, data))

    def broadcast(self) -> None:
        while True:
            client, data = None, b""  # when the wait is over: try again to send what is kept
            with contextlib.suppress(queue.Empty):
                client, data = self.queue.get(timeout=RETRY_S if any(self.unsent.values()) else None)
            if client is None:
                for client in self.unsent:
                    self.send(client, data)
            elif data:  # its Welcome: it joins
                self.unsent[client] = bytearray()
                self.send(client, data)
            else:  # it leaves
                del self.unsent[client]
                client.close()

    def send(self, client: socket.socket, data: bytes) -> None:
        """Send what the socket takes now, and keep the rest."""
        unsent = self.unsent[client]
        unsent += data
        try:
            while unsent:
                del unsent[: client.send(unsent)]
        except BlockingIOError:
            pass
        except OSError:  # this client has vanished
            unsent.clear()
        if len(unsent) > MAX_UNSENT_BYTES:
            unsent.clear()
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)  # its thread then reads the end, and leaves


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
