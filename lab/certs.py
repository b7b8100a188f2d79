"""``python3 lab certs DIR``: a throw-away authority and a server certificate, for the chat over TLS."""

if not __package__:
    import bootstrap  # noqa: F401  the checkout's root in place of lab/ on the search path

import argparse
import sys
from pathlib import Path

from lab.room import authority


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="lab certs", description="Make ca.pem, server.pem and server.key in DIR. Trust them for nothing but the lab."
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="made if it is not there")
    parser.add_argument(
        "--host",
        action="append",
        metavar="NAME",
        help="a name or address that clients will type for the server; may be given several times "
        f"(default: {', '.join(authority.LOOPBACK_NAMES)})",
    )
    parser.add_argument("--days", type=int, default=authority.DAYS, help="how long it is good (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        made = authority.issue(options.folder, options.host or authority.LOOPBACK_NAMES, options.days)
    except (OSError, ValueError, OverflowError) as error:
        print(f"certs: cannot make certificates in {options.folder}: {error}", file=sys.stderr)
        return 2
    print(
        f"Made {made.ca}, {made.certificate} and {made.key}. Next:\n"
        f"  python lab/server.py --cert {made.certificate} --key {made.key}\n"
        f"  python lab/client.py --tls --cafile {made.ca}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
