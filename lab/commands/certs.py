"""``python3 lab certs DIR``: make a throw-away authority and a server certificate, for the chat over TLS."""

import os
import shlex
import sys
from pathlib import Path

from lab.commands import command_line, refuse


def main(argv: list[str] | None = None) -> int:
    about = "Make ca.pem, server.pem and server.key in DIR. Trust them for nothing but the lab."
    parser = command_line("certs", about)
    add = parser.add_argument
    name = "a name or address of the server, may be given several times (default: localhost, 127.0.0.1, ::1)"
    add("folder", metavar="DIR", type=Path, help="made if it does not exist")
    add("--name", "--host", dest="host", action="append", help=name)
    add("--days", type=int, help="how long they are valid (default: 30)")
    add("--replace", action="store_true", help="replace an existing authority without asking")
    options = parser.parse_args(argv)

    from lab.harness import certificates

    try:
        if refused := _refusal(options.folder, options.replace):
            return refuse("certs", refused)
        days = certificates.DAYS if options.days is None else options.days
        made = certificates.issue(options.folder, options.host or certificates.LOOPBACK_NAMES, days)
    except (OSError, ValueError, OverflowError) as error:
        return refuse("certs", f"cannot make certificates in {options.folder}: {error}")
    ca, certificate, key = (shlex.quote(str(path)) for path in (made.ca, made.certificate, made.key))
    print(f"Made {ca}, {certificate} and {key}. Next:")
    print(f"  python3 lab/server.py --tls --cert {certificate} --key {key}")
    print(f"  python3 lab/client.py --tls --cafile {ca}")
    return 0


def _refusal(folder: Path, replace: bool) -> str | None:
    """Return why nothing is written into ``folder``, or None; ask before replacing an authority."""
    if folder.is_symlink():
        return f"{folder} is a link: name the folder itself"
    there = [name for name in ("ca.pem", "server.pem", "server.key") if os.path.lexists(folder / name)]
    if not there or replace:
        return None
    warning = "Clients that trust the old ca.pem will refuse the new server."
    print(f"{folder} holds {', '.join(there)} already. {warning}\nReplace them? [y/N] ", end="", flush=True)
    if sys.stdin and sys.stdin.readline().strip().lower() in ("y", "yes"):
        return None
    return "nothing was replaced; name another folder, or add --replace"
