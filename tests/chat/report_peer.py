"""The report's own server and client, written from its description, **faults included**: the peers ours must work with.

Everything the report does wrong is here on purpose: one read is one message, nothing is checked, one lock is held
while everyone is sent to in turn, the set of clients changes while it is walked, and the client unpickles whatever is
not UTF-8. Never use this for anything but tests and measurements against one's own loopback.
"""

import io
import pickle
import re
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
            for client in tuple(
                self.clients
            ):  # (the original walks the set itself, and sometimes dies of it)
                try:
                    client.sendall(data)
                except OSError:
                    pass


# Where a text ends, in what TCP may have glued: before what a line, a notice or a pickle begins with. (No byte of a
# character is 80 hex with such a small one behind; what the tests say has no "<" in it.)
TEXT = re.compile(rb"\*\*\* .*? \*\*\*|.+?(?=<|\*\*\* |\x80[\x02-\x05]|\Z)", re.DOTALL)


class ReportClient:
    """Connect, send the name, then the two commands while the window opens.

    ``reads`` has what the original would make of each read: of several messages that TCP glued, the first, or bytes that
    it cannot use. No test can count on them, unless it knows that the server waited: ``until`` takes the messages apart.
    """

    def __init__(self, name: str, port: int, host: str = "127.0.0.1", open_window: bool = True):
        self.name = name
        self.socket = socket.create_connection((host, port), 10)
        self.socket.settimeout(30)
        self.reads: list = []
        self._unread = bytearray()  # received, and not yet passed by ``until``
        self._ended = False
        self._news = threading.Condition()
        self.socket.sendall(name.encode())
        threading.Thread(target=self._receive, daemon=True).start()
        if open_window:
            time.sleep(WINDOW_OPENS_S)
            self.send("!ShowUserHasConnected")
            with self._news:  # on a busy machine a gap alone would not keep the two commands apart
                self._news.wait_for(lambda: f"*** {name} Connected".encode() in self._unread, WAITS_S)
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

    def until(self, wanted, bound_s: float = 10) -> list:
        """Every message up to and with the first that equals ``wanted`` (or for which it is true); None is the end."""
        met = wanted if callable(wanted) else lambda message: message == wanted
        with self._news:
            self._news.wait_for(
                lambda: self._ended or any(met(message) for message, _ in self._messages()), bound_s
            )
            passed = []
            for message, end in self._messages():
                passed.append(message)
                if met(message):
                    del self._unread[:end]
                    return passed
        raise AssertionError(f"{wanted!r} never came; what did: {passed}")

    def _messages(self):
        """(message, where it ends) of each that is unread."""
        end = 0
        while end < len(self._unread):
            if self._unread[end] == 0x80:
                file = io.BytesIO(self._unread[end:])
                try:
                    message = pickle.load(file)
                except Exception:  # its rest is still to come
                    break
                end += file.tell()
            else:
                text = TEXT.match(self._unread, end)
                message, end = text[0].decode(errors="replace"), text.end()
            yield message, end
        if self._ended:
            yield None, end
