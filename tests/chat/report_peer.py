"""The report's own server and client, written from its description, **faults included**: the peers ours must work with.

Everything the report does wrong is here on purpose: one read is one message, nothing is checked, one lock is held
while everyone is sent to in turn, the set of clients changes while it is walked, and the client unpickles whatever is
not UTF-8. Never use this for anything but tests and measurements against one's own loopback.
"""

import io
import pickle
import socket
import threading
import time

READ = 1024
# The report's client leaves this gap by opening a window. Nothing comes back for a name, so nothing can be waited for.
WINDOW_OPENS_S = 0.3
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
    """Connect, send the name, then the two commands while the window opens.

    ``reads`` has what the original would make of each read: of several messages that TCP glued, the first, or bytes that
    it cannot use. So no test can count on them, unless it knows that the server waited; ``until`` reads the bytes themselves.
    """

    def __init__(self, name: str, port: int, host: str = "127.0.0.1", open_window: bool = True):
        self.name = name
        self.socket = socket.create_connection((host, port), 10)
        self.socket.settimeout(30)
        self.reads: list = []
        self._unread = bytearray()  # received, and not yet passed by ``until``
        self._ended = False
        self._news = threading.Condition()
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
                with self._news:
                    self.reads.append(self._read(data))
                    self._unread += data
                    if f"*** {self.name} Connected".encode() in self._unread:
                        self.heard_myself.set()
                    self._news.notify_all()
        except OSError:
            pass
        with self._news:
            self._ended = True
            self._news.notify_all()

    @staticmethod
    def _read(data: bytes):
        try:
            return data.decode()
        except UnicodeDecodeError:
            try:
                return pickle.loads(data)
            except Exception:
                return data

    def until(self, wanted: str | list | None, bound_s: float = 10) -> bytes:
        """Wait for a text, a list of users or (None) the end; gives all bytes from where the last call ended to its end."""
        with self._news:
            self._news.wait_for(lambda: self._end_of(wanted) is not None or self._ended, bound_s)
            end = self._end_of(wanted)
            assert end is not None, f"{wanted!r} never came; what did: {bytes(self._unread)!r:.2000}"
            passed = bytes(self._unread[:end])
            del self._unread[:end]
            return passed

    def _end_of(self, wanted) -> int | None:
        """Where ``wanted`` ends in what is unread."""
        if wanted is None:
            return len(self._unread) if self._ended else None
        if isinstance(wanted, str):
            start = self._unread.find(wanted.encode())
            return None if start < 0 else start + len(wanted.encode())
        start = self._unread.find(b"\x80")  # every pickle begins so, and no text's character does
        while start >= 0:
            file = io.BytesIO(self._unread[start:])
            try:
                if pickle.load(file) == wanted:
                    return start + file.tell()
            except Exception:  # not all of it has come, or it was the middle of a character
                pass
            start = self._unread.find(b"\x80", start + 1)
        return None
