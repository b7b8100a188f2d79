"""Two deliberately weak "encryptions" for comparison: base64, and a short key repeated over the stream (XOR).

    client -> entry == disguised, recorded ==> exit -> server

Neither client nor server knows of it: one end of the tunnel disguises every read, the other undoes it. base64 puts each
read on a line of its own; XOR changes the bytes where they stand, so a segment keeps its length.

**Neither protects anything.** ``lab.exposure.disguises`` breaks both without knowing the key. Loopback only.
"""

import base64
import contextlib
import random
import socket
import threading
from collections.abc import Callable

READ_BYTES = 16_384
KEY_BYTES = 8
STOP_S = 5  # until a thread must have noticed that its socket is closed


class Disguise:
    """One direction of one connection: ``hide`` and ``show`` are each other's inverse on whole streams."""

    def __init__(self, kind: str, key: bytes):
        self._kind, self._key = kind, key
        self._place = 0
        self._rest = b""

    def hide(self, data: bytes) -> bytes:
        return base64.b64encode(data) + b"\n" if self._kind == "base64" else self._xor(data)

    def show(self, data: bytes) -> bytes:
        if self._kind == "xor":
            return self._xor(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return b"".join(map(base64.b64decode, lines))

    def _xor(self, data: bytes) -> bytes:
        shifted = bytes(byte ^ self._key[(self._place + i) % len(self._key)] for i, byte in enumerate(data))
        self._place += len(data)
        return shifted


class Tunnel:
    """A context manager: clients connect to ``entry_port``, the recorded hop goes to ``port``.

    ``endpoints`` are the (address, port) pairs from which the entry went on, in order of arrival.
    """

    def __init__(self, kind: str, server_port: int, seed: int):
        self.kind, self._server_port = kind, server_port
        # One key for all connections of a session, as such "solutions" do it.
        self.key = random.Random(f"weak key {seed}").randbytes(KEY_BYTES)
        self.endpoints: list[tuple[str, int]] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Tunnel":
        self._entry, self._exit = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.entry_port, self.port = self._entry.getsockname()[1], self._exit.getsockname()[1]
        self._start(self._accept, self._entry, self.port, True)
        self._start(self._accept, self._exit, self._server_port, False)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in [self._entry, self._exit, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(STOP_S)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="tunnel", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, onward_port: int, is_entry: bool) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", onward_port))
            except OSError:
                return  # closed: the session is over
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [near, far]
            if is_entry:
                self.endpoints.append(far.getsockname())
            disguised, bare = (far, near) if is_entry else (near, far)
            self._start(self._pump, bare, disguised, Disguise(self.kind, self.key).hide)
            self._start(self._pump, disguised, bare, Disguise(self.kind, self.key).show)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes]) -> None:
        """Carry one direction until its end, and pass the end on (FIN)."""
        with contextlib.suppress(OSError, ValueError):  # the other end has gone
            while data := source.recv(READ_BYTES):
                target.sendall(change(data))
            target.shutdown(socket.SHUT_WR)
