"""The chat client: ``python lab/client.py`` opens its windows, ``--terminal`` none. Needs nothing but Python."""

if not __package__:
    import bootstrap  # noqa: F401  the checkout's root in place of lab/ on the search path

import argparse
import sys

from lab.chat import terminal
from lab.chat.client import ChatClient, ChatError
from lab.chat.tls import TlsError, client_context

NO_TKINTER = (
    "client: this Python has no tkinter, so it has no windows: use --terminal, or install it "
    "(Debian, Ubuntu: sudo apt install python3-tk; Fedora: sudo dnf install python3-tkinter; "
    "macOS: brew install python-tk)"
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab/client.py", description="The chat client of the lab.")
    parser.add_argument("--name", default="", help="user name (the window asks for it)")
    parser.add_argument(
        "--host", default="localhost", help="the server's name or address (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=9898, help="the server's port (default: %(default)s)")
    parser.add_argument("--tls", action="store_true", help="speak TLS with the server")
    parser.add_argument(
        "--cafile", metavar="FILE", help="certificate of the authority to trust (PEM), for --tls"
    )
    parser.add_argument(
        "--wire", choices=["report"], default="report", help="wire format (default: %(default)s)"
    )
    parser.add_argument(
        "--terminal", action="store_true", help="no windows: send standard input, print what arrives"
    )
    options = parser.parse_args(argv)
    if options.cafile and not options.tls:
        parser.error("--cafile is for --tls: add it, or the chat would go in plaintext")
    if options.terminal and not options.name:
        parser.error("--terminal needs --name")
    if not options.terminal:
        try:
            from lab.chat import window
        except ImportError:
            print(NO_TKINTER, file=sys.stderr)
            return 2
        return window.run(options.name, options.host, options.port, options.tls, options.cafile)
    try:
        tls = client_context(options.cafile) if options.tls else None
        return terminal.run(ChatClient(options.name, options.host, options.port, tls))
    except (ChatError, TlsError) as error:
        print(f"client: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
