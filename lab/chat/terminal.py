"""The client for machines without a screen: standard input is sent line by line, what arrives is printed.

It can be scripted: it waits for each line's own broadcast before it sends the next, and leaves with ``!Exit`` at the
end of input. Whatever others send is shown with escape sequences made visible, since a terminal would obey them.
"""

import sys
import threading
from collections.abc import Iterable

from lab.chat import wire
from lab.chat.client import NAME_GAP_S, ChatClient, Lost
from lab.chat.connection import ConnectionLost
from lab.chat.log import line_for


def run(client: ChatClient, lines: Iterable[str] = sys.stdin, output=None) -> int:
    """Chat until the input ends or the connection is lost; returns the exit code (0, or 2 when it was lost)."""
    output = output or sys.stdout
    client.connect()
    host, port = client.connection.local
    secured = (
        f"{client.connection.tls_version}"
        if client.connection.tls_version
        else "plaintext: everyone can read it"
    )
    print(f"Connected as {client.name} from {host} port {port} ({secured})", file=output, flush=True)
    lost = threading.Event()
    reasons: list[str] = []
    printer = threading.Thread(target=_print_events, args=[client, output, lost, reasons], daemon=True)
    printer.start()
    try:
        lost.wait(NAME_GAP_S)
        client.announce(wait=True)
        client.ask_users(wait=True)
        for line in lines:
            if lost.is_set():
                break
            if text := line.rstrip("\r\n"):
                client.say(text, wait=True)
    except ConnectionLost:
        pass  # the printer has the reason
    except KeyboardInterrupt:
        print(file=output)
    finally:
        client.leave()
        printer.join()
    if reasons:
        print(f"Connection lost: {reasons[0]}.", file=sys.stderr)
        return 2
    return 0


def _print_events(client: ChatClient, output, lost: threading.Event, reasons: list[str]) -> None:
    while not isinstance(event := client.events.get(), Lost):
        print(line_for(event), file=output, flush=True)
    if event.reason:
        reasons.append(wire.printable(event.reason))
    lost.set()
