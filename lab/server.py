"""The chat server: ``python lab/server.py [--host --port --tls --cert --key]``. Needs nothing but Python."""

if not __package__:
    import bootstrap  # noqa: F401  the checkout's root in place of lab/ on the search path

import argparse
import signal
import sys
import threading

from lab.chat.server import ChatServer, ServerError, console
from lab.chat.tls import TlsError, server_context


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lab/server.py", description="The threaded chat server of the lab.")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this machine; 0.0.0.0: every interface, as in the report)",
    )
    parser.add_argument("--port", type=int, default=9898, help="TCP port (default: %(default)s; 0: any free one)")
    parser.add_argument("--tls", action="store_true", help="speak TLS, and nothing else, on this port")
    parser.add_argument("--cert", metavar="FILE", help="certificate chain (PEM), for --tls")
    parser.add_argument("--key", metavar="FILE", help="its private key (PEM), for --tls")
    options = parser.parse_args(argv)
    if options.tls and not (options.cert and options.key):
        parser.error("--tls needs --cert and --key; make a pair with: python3 lab certs DIR")
    if not options.tls and (options.cert or options.key):
        parser.error("--cert and --key are for --tls: add it, or the chat would go in plaintext")

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        tls = server_context(options.cert, options.key) if options.tls else None
        with ChatServer(options.host, options.port, tls, console) as server:
            console(
                f"Listening on {options.host or '*'} port {server.port} ({'TLS' if tls else 'plaintext'}); Ctrl-C ends."
            )
            while not ended.wait(0.5):  # a wait without an end would keep Ctrl-C waiting on Windows
                pass
    except (ServerError, TlsError) as error:
        print(f"server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
