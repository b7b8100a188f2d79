"""The chat client: ``python lab/client.py`` opens its windows, ``--terminal`` none. Needs nothing but Python."""

if not __package__:
    from setup import bootstrap
else:
    from lab.setup import bootstrap  # noqa: F401  the same, started with -m

import argparse
import sys

from lab.chat import terminal
from lab.chat.features.cures import CURES, client_for
from lab.chat.options import PAD_HELP, LoginOptions, block_size, read_password
from lab.chat.tls import VERSIONS
from lab.chat.wires import WIRES

NO_TKINTER = (
    "lab client: this Python has no tkinter, so it has no windows: use --terminal, or install it "
    "(Debian, Ubuntu: sudo apt install python3-tk; Fedora: sudo dnf install python3-tkinter; "
    "macOS: brew install python-tk)"
)

WIRE_HELP = "wire format (report: as in the report; json: framed, one message a line; default: %(default)s)"

CURE_HELP = "send in a way that hides lengths or times (json wire; lab/chat/README.md explains each)"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab/client.py", description="The chat client of the lab.")
    add = parser.add_argument
    add("--name", default="", help="user name (the window asks for it)")
    add("--host", default="localhost", help="the server's name or address (default: %(default)s)")
    add("--port", type=int, default=9898, help="the server's port (default: %(default)s)")
    add("--wire", choices=tuple(WIRES), default="report", help=WIRE_HELP)
    add("--terminal", action="store_true", help="no windows: send standard input, print what arrives")
    password_help = "log in with this file's first line (json wire; the window asks)"
    add("--password-file", metavar="FILE", help=password_help)
    typing_help = "report each key in the window, so that the others see that you are typing (json wire)"
    add("--typing", action="store_true", help=typing_help)
    tls = parser.add_argument_group("TLS").add_argument
    tls("--tls", action="store_true", help="speak TLS with the server")
    tls("--cafile", dest="ca_file", metavar="FILE", help="certificate of the authority to trust (PEM)")
    tls("--tls-version", choices=VERSIONS, help="this version alone (default: both)")
    key_log_help = "write the session's secrets there, so that a recording can be opened"
    tls("--key-log", metavar="FILE", help=key_log_help)
    tls("--pad", dest="pad_to", type=block_size, default=0, metavar="N", help=PAD_HELP)
    tls("--cure", choices=CURES, default="none", help=CURE_HELP)
    return parser


def main(argv: list[str] | None = None) -> int:
    parser = arguments()
    options = parser.parse_args(argv)
    for value, flag in (
        (options.ca_file, "--cafile"),
        (options.tls_version, "--tls-version"),
        (options.key_log, "--key-log"),
        (options.cure != "none", "--cure"),
    ):
        if value and not options.tls:
            parser.error(f"{flag} is for --tls: add it, or the chat would go in plaintext")
    if options.wire != "json" and (
        options.password_file or options.pad_to or options.typing or options.cure != "none"
    ):
        parser.error("--password-file, --pad, --typing and --cure are for --wire json")
    if options.terminal and not options.name:
        parser.error("--terminal needs --name")
    chosen = vars(options)
    in_terminal, password_file = chosen.pop("terminal"), chosen.pop("password_file")
    try:
        password = read_password(password_file) if password_file else ""
        login_options = LoginOptions(password=password, **chosen)
        if in_terminal:
            return terminal.run(client_for(login_options.login()))
        try:
            from lab.chat import login_window
        except ImportError:
            print(NO_TKINTER, file=sys.stderr)
            return 2
        return login_window.run(login_options)
    except OSError as error:  # ChatError and TlsError are OSErrors, with a text for people
        print(f"lab client: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
