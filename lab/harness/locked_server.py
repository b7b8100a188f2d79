"""A chat server with one deliberate fault: it sends to everyone in turn, under one lock, and waits.

The report's server does that. Everything else of the report's faults is mended here (it speaks the json wire, so messages
have edges, and names are checked), so that whatever goes wrong comes from this lock alone. For the lesson of notebook
``07_threads``, and for nothing else; the kit's own server is ``lab/server.py``.

    python -m lab.harness.locked_server PORT
"""

import socket
import sys
import threading

from lab.chat import events
from lab.chat.json_wire import JsonWire

READ_BYTES = 16_384


class LockedServer:
    """Accept, and a thread for each client, which sends what its client says to all of them by itself."""

    def __init__(self, port: int):
        self.listener = socket.create_server(("", port))
        self.lock = threading.Lock()
        self.clients: dict[socket.socket, str] = {}  # in order of arrival

    def serve(self) -> None:
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve_client, args=[client], daemon=True).start()

    def serve_client(self, client: socket.socket) -> None:
        wire = JsonWire(server=True)
        try:
            while data := client.recv(READ_BYTES):
                for request in wire.feed(data):
                    if isinstance(request, events.Leave | events.WireError):
                        return
                    self.obey(client, request)
        except OSError:
            pass  # it has gone
        finally:
            with self.lock:
                self.clients.pop(client, None)
            client.close()

    def obey(self, client: socket.socket, request: events.Request) -> None:
        match request:
            case events.Join(name):
                with self.lock:
                    self.clients[client] = name
                client.sendall(JsonWire().encode(events.Welcome(name)))
                print(f"*** {name} Connected", flush=True)
            case events.Say(text):
                self.send_to_all(JsonWire().encode(events.Said(self.clients[client], text)))

    def send_to_all(self, data: bytes) -> None:
        with self.lock:  # the fault: whoever does not read keeps everyone waiting for this lock
            for client in list(self.clients):
                client.sendall(data)


if __name__ == "__main__":
    server = LockedServer(int(sys.argv[1]))
    print(f"Listening on port {sys.argv[1]}", flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        pass
