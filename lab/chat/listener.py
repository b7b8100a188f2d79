"""Socket, bind, listen, accept, and a thread for each client.

A listener knows nothing of the chat: it calls a function with each connection.
"""

import errno
import socket
import threading
import time
from collections.abc import Callable

from lab.chat.connection import reason, shut_down

BACKLOG = 4096  # connections that the kernel completes before we accept them; with 128, a thousand at once take seconds
RETRY_S = 0.02  # after accept() has failed
QUIET_S = 10  # the console says again that accept() fails when it has not failed for so long

Serve = Callable[[socket.socket, tuple[str, int]], None]


class ServerError(OSError):
    """The server cannot start; the text says why and what to do."""


class Listener:
    """Calls ``serve`` with the socket and the address of each client, in the client's own thread.

    ``serve`` calls ``release`` at its end.
    """

    def __init__(self, serve: Serve, console: Callable[[str], None]):
        self._serve, self._console = serve, console
        self.closing = threading.Event()
        self._clients: dict[threading.Thread, socket.socket] = {}
        self._accepter = threading.Thread(target=self._accept, name="accept")

    def open(self, host: str, port: int) -> int:
        """Return the port when clients can connect to it. Raises ServerError."""
        both = not host and socket.has_dualstack_ipv6()  # IPv4 and IPv6
        family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server(
                (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
            )
        except (OSError, OverflowError) as error:
            problem = f"cannot listen on {host or 'every interface'} port {port}: {reason(error)}"
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                problem = f"port {port} is taken (another server may still be running)"
            raise ServerError(f"{problem}: try another --port or --host") from error
        self._accepter.start()
        taken: int = self._socket.getsockname()[1]
        return taken

    def close(self) -> bool:
        """Accept no more clients. Return False where it was not open."""
        if self.closing.is_set() or not self._accepter.is_alive():
            return False
        self.closing.set()
        shut_down(self._socket)  # wakes accept() on Linux; on macOS and Windows close() does
        self._socket.close()
        self._accepter.join()
        return True

    def cut(self) -> None:
        """Cut the connections that are left, and return when their threads have ended."""
        for thread, sock in self._clients.copy().items():
            shut_down(sock)
            thread.join()

    def _accept(self) -> None:
        failed_s = float(-QUIET_S)
        while not self.closing.is_set():
            try:
                self._start_thread(*self._socket.accept())
            except (OSError, RuntimeError) as error:
                # Out of descriptors, or of threads: some will be free again.
                if time.monotonic() - failed_s > QUIET_S and not self.closing.is_set():
                    self._console(f"A connection could not be accepted: {reason(error)}")
                failed_s = time.monotonic()
                time.sleep(RETRY_S)

    def _start_thread(self, sock: socket.socket, address: tuple[str, int]) -> None:
        thread = threading.Thread(target=self._serve, args=[sock, address], name="client", daemon=True)
        self._clients[thread] = sock  # before it runs, so that cut() finds it
        try:
            thread.start()
        except RuntimeError:
            self._clients.pop(thread).close()
            raise

    def release(self) -> None:
        """Close the connection of the thread that calls this, which has served its client."""
        self._clients.pop(threading.current_thread()).close()
