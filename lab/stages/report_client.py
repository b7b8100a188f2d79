"""The report's client, faults included, without its window: it talks to report, nodelay and backlog.

A connection, the name, two commands while the window would open, and a receiving thread. Whatever one ``recv(1024)``
returns is taken for one message: text if it is UTF-8, else a pickled user list. **Unpickling runs whatever code the
sender has put into the bytes**, so this client connects to a server on your own computer only; to another one it
connects where that code can do little: see ``is_confined``. lab/chat/report_wire.py reads the same lists safely.
"""

import argparse
import contextlib
import ipaddress
import os
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


def is_confined() -> bool:
    """Return whether this program sees no other process, and can write into one folder at most.

    This is so on the host of the scenario ``pickled-list``. The kernel is asked, and not the environment.
    """
    try:
        # "device place type rw,... 0 0" (proc(5))
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return False
    writable = [line for line in mounts if line.split()[3].split(",")[0] != "ro"]
    return os.getpid() == 1 and len(writable) <= 1


def is_this_computer(host: str) -> bool:
    """Return whether all addresses of a host are of the loopback. Raises OSError where it has none."""
    return all(ipaddress.ip_address(found[4][0]).is_loopback for found in socket.getaddrinfo(host, None))


class ReportClient:
    """One user's connection. Raises PermissionError for a server whose lists it must not read."""

    def __init__(self, name: str, port: int, host: str = "127.0.0.1"):
        if not (is_this_computer(host) or is_confined()):
            raise PermissionError(f"it would run whatever code {host} sends: connect with lab/client.py")
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
    except PermissionError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    except (OSError, OverflowError, UnicodeError) as error:
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
