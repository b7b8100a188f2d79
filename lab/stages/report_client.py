"""The report's client, faults included, without its window: it talks to report, nodelay and backlog.

A connection, the name, two commands while the window would open, and a receiving thread. Whatever one ``recv(1024)``
returns is taken for one message: text if it is UTF-8, else a pickled user list. **Unpickling runs whatever code the
sender has put into the bytes**, so connect to nothing but your own computer. lab/chat/report_wire.py reads the same
lists safely.
"""

import argparse
import contextlib
import pickle
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from lab.chat.events import printable

READ_BYTES = 1024
WINDOW_OPENS_S = 0.3  # only time keeps two sends apart
FAREWELL_S = 5  # until the server must have closed


class ReportClient:
    """One user's connection."""

    def __init__(self, name: str, port: int, host: str = "127.0.0.1"):
        self.name = name
        self.socket = socket.create_connection((host, port))
        self.send(name)

    def open_window(self) -> None:
        for command in ("!ShowUserHasConnected", "!GetAllActiveUsers"):
            time.sleep(WINDOW_OPENS_S)
            self.send(command)

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def reads(self) -> Iterator[bytes]:
        """Yield what each read returns, until the server closes."""
        with contextlib.suppress(OSError):
            while data := self.socket.recv(READ_BYTES):
                yield data


def read_message(data: bytes) -> Any:
    """Return the text or the user list in one read. Raises what ``pickle`` raises for a list that was cut."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return pickle.loads(data)


def show(client: ReportClient) -> None:
    """Print what is received, until the server closes."""
    for data in client.reads():
        try:
            message = read_message(data)
        except Exception as error:  # a broken pickle raises almost anything
            message = f"({len(data)} bytes that are neither text nor a list: {error})"
        print(printable(str(message)), flush=True)
    print("The server has closed the connection.", flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--host", default="127.0.0.1", help="address of the server (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9898, help="(default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        client = ReportClient(options.name, options.port, options.host)
    except (OSError, OverflowError) as error:
        parser.exit(2, f"{parser.prog}: no server at {options.host} port {options.port}: {error}\n")
    receiver = threading.Thread(target=show, args=[client], daemon=True)
    receiver.start()
    with contextlib.suppress(OSError, KeyboardInterrupt):  # OSError: the server has closed
        client.open_window()
        for line in sys.stdin:
            client.send(line.rstrip("\n"))
        time.sleep(WINDOW_OPENS_S)
        client.send("!Exit")
    receiver.join(FAREWELL_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
