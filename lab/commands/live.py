"""``python3 lab live``: type into three chat windows, and see what somebody on the cable sees at that moment.

    python3 lab live --open               the page, in a browser; Ctrl-C ends the lecture
    python3 lab live --play               a script speaks, at the pace of people
    python3 lab live --script talk.txt    a script of your own

The room is the report's LAN, or the loopback where the kit can make none. The recording remains, with its manifest.
"""

from __future__ import annotations

import argparse
import asyncio
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.chat.options import print_line
from lab.commands import command_line, refuse
from lab.setup.paths import ROOT

if TYPE_CHECKING:  # imported where it is used, so that --help comes before the set-up
    from lab.harness.script import Script

CAPTURE = "live.pcapng"
PACE_S = 2.0  # between two lines of a script, on average


def main(argv: list[str] | None = None) -> int:
    parser = command_line("live", "A chat for the lecture hall, and what an eavesdropper sees of it.")
    add, out = parser.add_argument, ROOT / "captures" / "mine" / "live"
    add("--play", action="store_true", help="let the kit's script speak")
    add("--script", type=Path, metavar="FILE", help="let this script speak")
    add("--out", type=Path, default=out, metavar="DIR", help="folder for the recording (captures/mine/live)")
    add("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args(argv)

    from lab.harness.script_file import ScriptError
    from lab.net.plan import LanError

    try:
        return hold(options, chosen_script(options))
    except (LanError, ScriptError, OSError) as error:
        return refuse("live", error)


def chosen_script(options: argparse.Namespace) -> Script | None:
    """Return the script to play, if any. Raises ScriptError."""
    from lab.harness.scenarios.report import HOST_OF
    from lab.harness.script import make_script
    from lab.harness.script_file import ScriptError, read_script

    if not options.play and not options.script:
        return None
    script = read_script(options.script) if options.script else make_script()
    if strangers := [name for name in script.users if name not in HOST_OF]:
        raise ScriptError(f"{options.script}: {strangers[0]} has no host here; {', '.join(HOST_OF)} have")
    return replace(script, pace_s=PACE_S)


def hold(options: argparse.Namespace, script: Script | None) -> int:
    """Hold the lecture; leave the recording and its manifest. Raises OSError or LanError."""
    from lab.explorer.live.room import LiveRoom
    from lab.explorer.live.web_server import serve
    from lab.harness.manifest import MANIFEST, make_way, write_manifest
    from lab.harness.session import recording_into

    capture = options.out / CAPTURE

    def announce(address: str) -> None:
        print_line(f"{address}\nThe first tab drives, others watch. Ctrl-C ends the lecture.")
        if options.open:
            webbrowser.open(address)

    with recording_into(options.out):
        make_way(options.out, [CAPTURE], print)
        with LiveRoom(capture) as room:
            shown = asyncio.run(serve(room, script, announce))
        where = "a LAN of the kit's own" if room.lan else "the machine's loopback"
        write_manifest(options.out / MANIFEST, [room.entry()], where, made_by="python3 lab live")
    print_line(f"{capture}: {room.frames} frames recorded, {shown} of them shown")
    print_line(f"Next: python3 lab report {capture} --open")
    return 0
