"""The client for machines without a screen: standard input is sent line by line, what arrives is printed.

It can be scripted: it waits for each line's own broadcast before it sends the next, and leaves at the end of input.
Commands (``/help`` lists them) work as in the window. Whatever others send is shown with escape sequences made
visible, since a terminal would obey them.

One thread reads and sends the lines; nothing can interrupt it while it waits for somebody to type. The main thread
prints what arrives, so a lost connection ends the program at once.
"""

import sys
import threading
from collections.abc import Iterable
from typing import TextIO

from lab.chat.chat_log import describe
from lab.chat.client import ANSWER_S, ChatClient
from lab.chat.connection import ConnectionLost
from lab.chat.events import Lost, Renamed, printable
from lab.chat.features.typed_commands import enter
from lab.chat.options import print_line


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
    me = client.name  # as of the event that is printed: the client itself may be ahead
    print_line(f"Connected as {me} from {host} port {port} ({secured})", output)
    texts = "; /quit, /msg and the like go to everyone, unless the server reads commands"
    print_line(f"Ctrl-D or Ctrl-C leaves{'' if client.wire.has_commands else texts}", output)
    leaving = threading.Lock()  # for one thread at a time
    threading.Thread(target=_send_lines, args=[client, lines, output, leaving], daemon=True).start()
    try:
        while not isinstance(event := client.events.get(), Lost):
            if isinstance(event, Renamed) and event.name == me:
                me = event.to
            text = describe(event, me)[1]
            if text and not print_line(text, output):
                return 0  # nobody reads what we print
        if event.reason is None:
            return 0
        print(f"Connection lost: {printable(event.reason)}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print_line("", output)
        return 0
    finally:
        with leaving:
            client.leave()


def _send_lines(client: ChatClient, lines: Iterable[str], output: TextIO, leaving: threading.Lock) -> None:
    try:
        client.announce()
        client.answered.wait(ANSWER_S)
        client.ask_users()
        client.answered.wait(ANSWER_S)
        for line in lines:
            text = line.rstrip("\r\n")
            if not text:
                continue
            for answer in enter(client, text):
                print_line(answer, output)
            if client.wire.has_commands or not text.startswith("/"):  # else the answer may have any shape
                client.answered.wait(ANSWER_S)
    except ConnectionLost:
        return  # the main thread reports it
    with leaving:
        client.leave()
