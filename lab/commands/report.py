"""``python3 lab report FILE [SECOND] [--keys FILE] [--out PAGE] [--open]``: a page that explains every byte.

The page is one file that needs no network: frames, fields, bytes, streams and display filters, and a summary that needs
no script either. A capture that the ``manifest.json`` beside it lists (by SHA-256) is also scored.
"""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from lab.commands import command_line, file_fault, refuse

if TYPE_CHECKING:  # imported where they are used, so that --help comes before the set-up
    from lab.explorer.summary import Entry

NEEDED = {"users", "events", "server", "tls_version"}  # by a score; the entries of lessons have other members


def main(argv: list[str] | None = None) -> int:
    parser = command_line("report", "One self-contained page about captures.")
    parser.add_argument("captures", type=Path, nargs="+", metavar="CAPTURE", help="pcap or pcapng files")
    add = parser.add_argument
    keys = "a TLS key log; the page opens locked, but holds in plaintext whatever the keys open"
    add("-o", "--out", "--output", type=Path, default=Path("report.html"), help="default: %(default)s")
    add("--keys", type=Path, metavar="FILE", help=keys)
    add("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args(argv)

    from lab.dissect.files.capture_file import CaptureError

    inputs = {path.resolve() for path in (*options.captures, *filter(None, [options.keys]))}
    if options.out.resolve() in inputs:
        return refuse("report", f"{options.out} is one of the files to read: choose another --out")
    try:
        for note in write_page(options.captures, options.out, options.keys):
            print(f"lab report: note: {note}", file=sys.stderr)
    except CaptureError as error:
        return refuse("report", error)
    except OSError as error:
        return refuse("report", file_fault(error, options.out))
    print(options.out)
    if options.open:
        webbrowser.open(options.out.resolve().as_uri())
    return 0


def write_page(captures: list[Path], output: Path, keys: Path | None = None) -> list[str]:
    """Write the page and return what it notes about the captures.

    Raises CaptureError or OSError; then an earlier page is left as it was.
    """
    from lab.dissect.tls.key_schedule import read_key_log
    from lab.explorer.page import explorer_page

    key_logs = (read_key_log(keys),) if keys else ()
    page, data = explorer_page([(path, manifest_entry(path)) for path in captures], key_logs)
    partial = output.with_suffix(output.suffix + ".part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(output)
    return [f"{path}: {note}" for path, one in zip(captures, data, strict=True) for note in one["notes"]]


def manifest_entry(capture: Path) -> Entry | None:
    """Return the entry of a capture in the manifest beside it, or None. A file that has changed since has no entry."""
    from lab.harness.manifest import MANIFEST, read_manifest, sha256_of
    from lab.harness.tap import RecordingError

    try:
        manifest, digest = read_manifest(capture.parent / MANIFEST), sha256_of(capture)
    except (RecordingError, OSError):
        return None
    for entry in manifest["recordings"]:
        if isinstance(entry, dict) and entry.get("sha256") == digest and entry.keys() >= NEEDED:
            return entry
    return None
