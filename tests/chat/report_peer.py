"""The report's own server and client, written from its description, **faults included**: the peers ours must work with.

Everything the report does wrong is here on purpose: one read is one message, nothing is checked, one lock is held
while everyone is sent to in turn, the set of clients changes while it is walked, and the client unpickles whatever is
not UTF-8. Never use this for anything but tests and measurements against one's own loopback.
"""

import pickle
import queue
import socket
import threading
import time

READ = 1024
# The report's client leaves this gap by opening a window. Nothing comes back for a name, so nothing can be waited for.
WINDOW_OPENS_S = 0.15
WAITS_S = 5


class ReportServer:
    """Server socket, bind, listen, accept, a thread per client. ``no_delay`` is the one-line mend of its story."""

    def __init__(self, port: int = 0, no_delay: bool = False, backlog: int = 5):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.no_delay = no_delay
        self.lock = threading.Lock()
        self.clients: set[socket.socket] = set()
        self.users: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in [self.listener, *self.clients]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.no_delay:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        try:
            name = client.recv(READ).decode()
            self.clients.add(client)
            self.users.append(name)
            while True:
                data = client.recv(READ)
                if not data:
                    break  # and the name stays in the list
                message = data.decode(errors="replace")
                if message == "!ShowUserHasConnected":
                    self._send_all(f"*** {name} Connected ***".encode())
                elif message == "!GetAllActiveUsers":
                    self._send_all(pickle.dumps(self.users))
                elif message == "!Exit":
                    self.users.remove(name)
                    self.clients.discard(client)
                    self._send_all(pickle.dumps(self.users))
                    break
                else:
                    self._send_all(f"<{name}> {message}".encode())
        except OSError:
            pass
        finally:
            self.clients.discard(client)
            client.close()

    def _send_all(self, data):
        with self.lock:
            for client in tuple(self.clients):  # (the original walks the set itself, and sometimes dies of it)
                try:
                    client.sendall(data)
                except OSError:
                    pass


class ReportClient:
    """Connect, send the name, then the two commands while the window opens; ``reads`` has whatever one read gave."""

    def __init__(self, name: str, port: int, host: str = "127.0.0.1", open_window: bool = True):
        self.name = name
        self.socket = socket.create_connection((host, port), 10)
        self.socket.settimeout(30)
        self.reads: queue.SimpleQueue = queue.SimpleQueue()
        self.heard_myself = threading.Event()
        self.socket.sendall(name.encode())
        threading.Thread(target=self._receive, daemon=True).start()
        if open_window:
            time.sleep(WINDOW_OPENS_S)
            self.send("!ShowUserHasConnected")
            self.heard_myself.wait(WAITS_S)  # on a busy machine a gap alone would not keep the two commands apart
            self.send("!GetAllActiveUsers")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send("!Exit")
        except OSError:
            pass
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def _receive(self):
        try:
            while data := self.socket.recv(READ):
                if f"*** {self.name} Connected".encode() in data:
                    self.heard_myself.set()
                try:
                    self.reads.put(data.decode())
                except UnicodeDecodeError:
                    try:
                        self.reads.put(pickle.loads(data))
                    except Exception:
                        self.reads.put(data)
        except OSError:
            pass
        self.reads.put(None)

    def until(self, wanted, bound_s: float = 10) -> list:
        """Everything that was read up to and with the first read that equals ``wanted`` (or for which it is true)."""
        read, deadline = [], time.monotonic() + bound_s
        while True:
            try:
                item = self.reads.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{wanted!r} never came; what did: {read}") from None
            read.append(item)
            if wanted(item) if callable(wanted) else item == wanted:
                return read
            if item is None:
                raise AssertionError(f"{wanted!r} never came before the end; what did: {read}")
