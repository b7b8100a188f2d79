"""Stage 3, backlog: a crowd is let in at once.

    listen(4096) --> accept --> TCP_NODELAY --> a thread for each client: recv --> lock --> sendall to each in turn

The kernel completes handshakes by itself and keeps the connections until the program accepts them: as many as the
backlog says. Beyond that Linux drops the SYN, and the client sends it again after one second, three, seven. A longer
backlog costs nothing while nobody comes. All four faults of ``report`` are still here.
"""

import argparse
import contextlib
import pickle
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from lab.chat.events import printable

BACKLOG = 4096  # connections that may wait to be accepted
READ_BYTES = 1024


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
        name = next(messages, "")
        self.clients.append(client)
        self.users.append(name)
        print(f"*** {printable(name)} Connected {where} ***", flush=True)
        for message in messages:
            if message == "!Exit":
                self.users.remove(name)  # fault 4: only here
                self.clients.remove(client)  # fault 2: without the lock
                self.send_to_all(pickle.dumps(self.users))
                break
            self.handle(name, message)
        client.close()
        print(f"*** <{printable(name)}> {where} Disconnected ***", flush=True)

    def handle(self, name: str, message: str) -> None:
        if message == "!ShowUserHasConnected":
            self.send_to_all(f"*** {name} Connected ***".encode())
        elif message == "!GetAllActiveUsers":
            self.send_to_all(pickle.dumps(self.users))
        else:
            self.send_to_all(f"<{name}> {message}".encode())

    def send_to_all(self, data: bytes) -> None:
        with self.lock:
            for client in self.clients:
                with contextlib.suppress(OSError):  # this client has vanished
                    client.sendall(data)  # fault 3: waits until the client reads


def read_messages(client: socket.socket) -> Iterator[str]:
    with contextlib.suppress(OSError):
        while data := client.recv(READ_BYTES):
            yield data.decode(errors="replace")  # fault 1: as if a read were a message


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
