"""The chat server: ``python lab/server.py [--host --port --cert --key ...]``. Needs nothing but Python."""

if not __package__:
    from setup import bootstrap
else:
    from lab.setup import bootstrap  # noqa: F401  the same, started with -m

import argparse
import contextlib
import getpass
import signal
import sys
import threading

from lab.chat.events import WireError
from lab.chat.features import Feature
from lab.chat.features.accounts import Accounts, RoomPassword
from lab.chat.features.history import REPLAY, History
from lab.chat.features.private import Private
from lab.chat.features.restrictions import OneWire, TlsOnly
from lab.chat.features.typed_commands import TypedCommands
from lab.chat.features.typing_notices import TypingNotices
from lab.chat.listener import ServerError
from lab.chat.options import PAD_HELP, block_size, print_line, read_password
from lab.chat.room import MAX_MEMBERS
from lab.chat.server import LOGIN_S, ChatServer
from lab.chat.tls import VERSIONS, server_context
from lab.chat.wires import WIRES

HOST_HELP = """address to listen on (default: %(default)s, this machine; 0.0.0.0: every interface, as in the report;
::: the same with IPv6; '': both)"""
WIRE_HELP = "speak this alone (report: as in the report; json: framed, one message a line; default: each client's own)"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab/server.py", description="The threaded chat server of the lab.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help=HOST_HELP)
    add("--port", type=int, default=9898, help="TCP port (default: %(default)s; 0: any free one)")
    add("--wire", choices=tuple(WIRES), help=WIRE_HELP)
    add("--max-users", type=int, default=MAX_MEMBERS, metavar="N", help="default: %(default)s")
    login_help = "seconds to log in (default: %(default)s)"
    add("--login-time", type=float, default=LOGIN_S, metavar="S", help=login_help)
    tls = parser.add_argument_group("TLS, on the same port").add_argument
    tls("--cert", metavar="FILE", help="certificate chain (PEM); python3 lab certs DIR makes one")
    tls("--key", metavar="FILE", help="its private key (PEM)")
    tls("--tls-only", "--tls", action="store_true", dest="tls_only", help="refuse plaintext")
    tls("--tls-version", choices=VERSIONS, help="this version alone (default: both)")
    tls("--pad", type=block_size, default=0, metavar="N", help=PAD_HELP)
    _add_features(parser)
    return parser


def _add_features(parser: argparse.ArgumentParser) -> None:
    more = parser.add_argument_group("features, off until asked for").add_argument
    more("--private", action="store_true", help="one-to-one messages: /msg")
    more("--commands", action="store_true", help="/nick, and typed commands for the report's clients")
    more("--typing", action="store_true", help="show who is typing (to the clients of the json wire)")
    more("--accounts", metavar="FILE", help="let in only users with an account in this SQLite file")
    account_help = "make an account in --accounts (asks for its password), then end"
    more("--add-account", metavar="NAME", help=account_help)
    more("--password-file", metavar="FILE", help="one password for everybody: this file's first line")
    history_help = "keep what is said that long, and send it to new users"
    more("--history", type=float, metavar="DAYS", help=history_help)
    more("--history-file", metavar="FILE", default="chat-history.sqlite", help="where (default: %(default)s)")
    replay_help = "lines that a new user is sent (default: %(default)s)"
    more("--replay", type=int, default=REPLAY, metavar="N", help=replay_help)


def features(options: argparse.Namespace) -> list[Feature]:
    """Return the chosen features, in the order in which the server asks them. Raise OSError."""
    chosen: list[Feature] = []
    if options.tls_only:
        chosen.append(TlsOnly())
    if options.wire:
        chosen.append(OneWire(options.wire))
    if options.accounts:
        chosen.append(Accounts(options.accounts))
    if options.password_file:
        password = read_password(options.password_file)
        if not password:
            raise ServerError(f"the first line of {options.password_file} is empty: it must be the password")
        chosen.append(RoomPassword(password))
    if options.private:
        chosen.append(Private())
    if options.commands:
        chosen.append(TypedCommands())
    if options.typing:
        chosen.append(TypingNotices())
    if options.history is not None:
        chosen.append(History(options.history_file, options.history, options.replay))
    return chosen


def add_account(options: argparse.Namespace) -> int:
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {options.add_account}: ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    name = Accounts(options.accounts).add(options.add_account, password)
    print(f"{name} has an account in {options.accounts} now.")
    return 0


def console(line: str) -> None:
    """Print a line; where nobody reads it any more, serve on in silence."""
    print_line(line)


def raise_file_limit() -> None:
    """Ask for as many file descriptors as we may have: each client takes one, and the usual limit is 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS calls its limit infinite and then refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def calm_threads() -> None:
    """Let a thread that waits for the interpreter's lock look at it ten times a second, not two hundred times.

    That lock passes on by itself whenever a thread waits for the network, which here is all the time. With thousands of
    waiting threads, the looking itself would be what the machine does.
    """
    sys.setswitchinterval(0.1)


def main(argv: list[str] | None = None) -> int:
    parser = arguments()
    options = parser.parse_args(argv)
    if bool(options.cert) != bool(options.key) or options.tls_only and not options.cert:
        parser.error("TLS needs --cert and --key; make a pair with: python3 lab certs DIR")
    if not options.cert and options.tls_version:
        parser.error("--tls-version is for TLS: add --cert and --key")
    if options.add_account and not options.accounts:
        parser.error("--add-account needs --accounts FILE")
    limits = (options.replay, options.history or 0, options.max_users - 1, options.login_time)
    if min(limits) < 0:
        parser.error("a limit must not be negative")

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    raise_file_limit()
    calm_threads()
    try:
        if options.add_account:
            return add_account(options)
        tls = server_context(options.cert, options.key, options.tls_version) if options.cert else None
        server = ChatServer(
            options.host,
            options.port,
            tls,
            console,
            login_s=options.login_time,
            features=features(options),
            max_members=options.max_users,
            pad_to=options.pad,
        )
        with server:
            spoken = "TLS" if options.tls_only else "plaintext and TLS" if tls else "plaintext"
            console(f"Listening on {options.host or '*'} port {server.port} ({spoken}); Ctrl-C ends.")
            while not ended.wait(0.5):  # a wait without an end would keep Ctrl-C waiting on Windows
                pass
    except (WireError, OSError) as error:  # ServerError and TlsError are OSErrors, with a text for people
        print(f"lab server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
