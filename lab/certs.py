"""``python3 lab certs DIR``: a throw-away authority and a server certificate, for trying TLS out."""

import argparse
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="lab certs", description="Make a throw-away authority and a server certificate."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to write ca.pem, server.pem, server.key into")
    parser.add_argument(
        "--name",
        action="append",
        metavar="HOST",
        help="name or address the server is reached by; may be repeated (default: the loopback)",
    )
    options = parser.parse_args(argv)

    from lab.room import authority

    try:
        made = authority.issue(options.folder, options.name or authority.LOOPBACK_NAMES)
    except OSError as error:
        print(f"certs: cannot write into {options.folder}: {error.strerror or error}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"certs: a name that no certificate can hold: {error}", file=sys.stderr)
        return 2
    print(f"made for {authority.DAYS} days; then:")
    print(f"  python lab/server.py --tls --cert {made.certificate} --key {made.key}")
    print(f"  python lab/client.py --tls --cafile {made.ca}")
    return 0
