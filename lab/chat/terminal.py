"""The client for machines without a screen: standard input is sent line by line, what arrives is printed.

It can be scripted: it waits for each line's own broadcast before it sends the next, and leaves in order at the end of
input. Commands (``/help`` lists them) work as in the window. Whatever others send is shown with escape sequences made
visible, since a terminal would obey them.

Two threads beside the main one: one reads standard input, which no other thread could interrupt, and one prints what
arrives. Both put what ends the chat on one queue, and the main thread waits there: so a lost connection ends the
program at once, also while it waits for somebody to type.
"""

import queue
import sys
import threading
from collections.abc import Iterable
from typing import Any, TextIO

from lab.chat.chat_log import line_for
from lab.chat.client import ANSWER_S, ChatClient
from lab.chat.connection import ConnectionLost
from lab.chat.events import Lost, Renamed, printable
from lab.chat.features.typed_commands import enter
from lab.chat.options import print_line

END_OF_INPUT = object()


def run(client: ChatClient, lines: Iterable[str] | None = None, output: TextIO | None = None) -> int:
    """Chat until the input ends or the connection is lost; returns the exit code (0, or 2 when it was lost).

    Without ``lines`` standard input is read; bytes in it that are not text are replaced and do not end the chat.
    """
    output = output or sys.stdout
    if lines is None:
        lines = sys.stdin or ()  # None: started with standard input closed
        if hasattr(lines, "reconfigure"):
            lines.reconfigure(errors="replace")
    if warning := client.login.warning:
        print(f"Warning: {warning}.", file=sys.stderr, flush=True)
    connection = client.connect().connection
    assert connection
    host, port = connection.local
    secured = connection.tls_version or "plaintext: everyone can read it"
    todo: queue.SimpleQueue[Any] = queue.SimpleQueue()  # lines to send, END_OF_INPUT, or Lost
    print_line(f"Connected as {client.name} from {host} port {port} ({secured})", output)
    printer = threading.Thread(target=_print_events, args=[client, client.name, output, todo], daemon=True)
    printer.start()
    lost = None
    try:
        client.announce()
        client.answered.wait(ANSWER_S)
        client.ask_users()
        client.answered.wait(ANSWER_S)
        threading.Thread(target=_read_lines, args=[lines, todo], daemon=True).start()
        while (line := todo.get()) is not END_OF_INPUT:
            if isinstance(line, Lost):
                lost = line
                break
            for answer in enter(client, line):
                print_line(answer, output)
            if client.wire.has_commands or not line.startswith("/"):  # else the answer may have any shape
                client.answered.wait(ANSWER_S)
    except ConnectionLost:
        pass  # the printer has the reason
    except KeyboardInterrupt:
        print_line("", output)
    finally:
        client.leave()
        printer.join()
    while lost is None and not todo.empty():
        item = todo.get()
        lost = item if isinstance(item, Lost) else None
    if lost and lost.reason:
        print(f"Connection lost: {printable(lost.reason)}.", file=sys.stderr)
        return 2
    return 0


def _read_lines(lines: Iterable[str], todo: queue.SimpleQueue[Any]) -> None:
    try:
        for line in lines:
            if text := line.rstrip("\r\n"):
                todo.put(text)
    finally:
        todo.put(END_OF_INPUT)


def _print_events(client: ChatClient, me: str, output: TextIO, todo: queue.SimpleQueue[Any]) -> None:
    """``me`` is our name as of the event that is printed: the client itself may be ahead."""
    while not isinstance(event := client.events.get(), Lost):
        if isinstance(event, Renamed) and event.name == me:
            me = event.to
        if not print_line(line_for(event, me), output):
            todo.put(END_OF_INPUT)  # nobody reads what we print, so nobody is there
            break
    else:
        todo.put(event)
