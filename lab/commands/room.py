"""``python3 lab room``: start the report's server and three users on the report's LAN, each on its own host.

    python3 lab room                    three windows; the room ends when all are closed
    python3 lab room --headless         no windows: a script is played instead
    python3 lab room --shell PC1        a shell on a host of the room that is running, or of one made for it

The server and the clients are the ordinary programs, each started in the network namespace of its host. A namespace has
no screen of its own, but X11 (and Wayland's X11) is also reached through a Unix socket, which is a file. The LAN is
recorded; the capture remains, and for a played script its manifest. ``--order`` breaks things: see ``lab.net.orders``.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lab.chat.events import printable
from lab.chat.listener import ServerError
from lab.commands import command_line, refuse
from lab.harness.lan_tap import Recording
from lab.harness.manifest import MANIFEST, make_way, write_manifest
from lab.harness.remote_chat import remote_server
from lab.harness.scenarios.report import HOST_OF, SOURCE_PORTS
from lab.harness.script import make_script
from lab.harness.session import record_on_lan, recording_into
from lab.harness.tap import RecordingError
from lab.harness.variant import REPORT_PORT
from lab.net import attach, namespace
from lab.net.lan import Lan
from lab.net.orders import ConditionError, Order
from lab.net.plan import REPORT_LAN, LanError, LanRefused
from lab.setup.paths import ROOT

CAPTURE = "room.pcapng"
SERVER = "10.27.27.131"  # the report's


def main(argv: list[str] | None = None) -> int:
    parser = command_line("room", "The report's room on a LAN of its own, recorded.")
    add, out = parser.add_argument, ROOT / "captures" / "mine" / "room"
    where = "where to record: hosts, switch (default: server)"
    add("--headless", action="store_true", help="no windows: play a script")
    add("--shell", metavar="HOST", help="a shell on a host: PC1, PC2, laptop or server")
    add("--seed", type=int, default=0, help="which script --headless plays (default: %(default)s)")
    add("--at", nargs="+", default=["server"], metavar="PLACE", help=where)
    order = "such as 'drop the third data segment from PC1'"
    add("--order", action="append", default=[], metavar="TEXT", help=order)
    add("--out", type=Path, default=out, metavar="DIR", help="folder for the capture (captures/mine/room)")
    options = parser.parse_args(argv)
    try:
        if options.shell:
            return shell(options.shell)
        orders = [Order.parse(text) for text in options.order]
        return headless(options, orders) if options.headless else windows(options, orders)
    except LanRefused as error:
        sentence, fix = namespace.diagnosis() or (str(error), "python3 lab doctor")
        return refuse("room", f"{sentence}: {fix}")
    except (LanError, ConditionError, RecordingError, ServerError) as error:
        return refuse("room", error)


def headless(options: argparse.Namespace, orders: list[Order]) -> int:
    """Play a script; leave the capture and its manifest."""
    capture, manifest = options.out / CAPTURE, options.out / MANIFEST
    script = make_script(options.seed)
    with recording_into(options.out), Lan(REPORT_LAN) as lan:
        _check_hosts(lan, options.at, orders)
        make_way(options.out, [CAPTURE], print)
        for order in orders:
            lan.order(order)
        entry = record_on_lan(lan, script, capture, options.at, host_of=HOST_OF, source_ports=SOURCE_PORTS)
        _report_orders(lan, orders)
        write_manifest(manifest, [entry], "a LAN of the kit's own", seed=options.seed)
    print(f"{capture}: {entry['frames']} frames at {entry['interface']}")
    print(f"{manifest}: what was said, by whom, when")
    return 0


def _check_hosts(lan: Lan, places: list[str], orders: list[Order]) -> None:
    """Raise LanError for a place or a host that is not on the LAN, before an older capture is replaced."""
    Recording(lan, places, CAPTURE)  # looks up the places; nothing is recorded until it is entered
    for order in orders:
        if order.host:
            lan[order.host]


def windows(options: argparse.Namespace, orders: list[Order]) -> int:
    """Open three clients with their windows; end when all are closed, or with Ctrl-C."""
    if obstacle := screen_obstacle():
        return refuse("room", obstacle)
    interrupted = False
    capture = options.out / CAPTURE
    with recording_into(options.out), Lan(REPORT_LAN) as lan, attach.AttachPoint(lan) as way_in:
        _check_hosts(lan, options.at, orders)
        make_way(options.out, [CAPTURE], print)
        with (
            Recording(lan, options.at, capture, comment="The lab room, used by hand.") as recording,
            remote_server(lan["server"], REPORT_PORT, lambda line: print(f"server | {line}", flush=True)),
        ):
            for order in orders:
                lan.order(order)
            command = [sys.executable, str(ROOT / "lab" / "client.py")]
            command += ["--host", lan["server"].address, "--port", str(REPORT_PORT), "--name"]
            no_input = subprocess.DEVNULL
            clients = [lan[host].popen([*command, name], stdin=no_input) for name, host in HOST_OF.items()]
            print("Three windows are open: press Connect in each, chat, and close them to end.", flush=True)
            if way_in.open:
                print("A shell on a host, from another terminal: python3 lab room --shell PC1", flush=True)
            try:
                codes = [client.wait() for client in clients]
            except KeyboardInterrupt:
                interrupted, codes = True, [0]
        _report_orders(lan, orders)
    print(f"{capture}: {sum(recording.frames.values())} frames at {', '.join(recording.frames)}")
    print_summary(capture)
    return 130 if interrupted else max(map(abs, codes))


def shell(host_name: str) -> int:
    """Open a shell on a host: of the room that is running, or else of one that lasts as long as the shell."""
    if found := attach.attach_to(host_name):
        host, descriptors = found
        popen = partial(namespace.popen_joined, descriptors=descriptors)
        return _shell_at(host["name"], host["addresses"], popen)
    with Lan(REPORT_LAN) as lan:
        print("No room is running: this shell has one of its own, with the server in it, until it ends.")
        with attach.AttachPoint(lan), remote_server(lan["server"], REPORT_PORT, lambda line: None):
            return _shell_at(lan[host_name].name, lan[host_name].addresses, lan[host_name].popen)


_SHELL = ["bash", "--norc", "-i"] if shutil.which("bash") else ["sh", "-i"]


def _shell_at(name: str, addresses: list[str], popen: Callable[..., "subprocess.Popen[Any]"]) -> int:
    server = f"{SERVER}, port {REPORT_PORT}"
    print(f"You are on {name} ({', '.join(addresses)}). The server: {server}. For example:")
    client = f"python3 lab/client.py --terminal --name Eve --host {SERVER}"
    print(f"  {client}     (exit leaves this host)", flush=True)
    prompt = f"[{name}] \\w\\$ " if _SHELL[0] == "bash" else f"[{name}] $ "
    process = popen(_SHELL, env=os.environ | {"PS1": prompt}, cwd=os.getcwd())
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the shell's now
    try:
        return abs(int(process.wait()))
    finally:
        if sys.stdin.isatty():  # the shell has made itself the terminal's foreground group: take that back
            blocked = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
            signal.signal(signal.SIGTTOU, blocked)
        signal.signal(signal.SIGINT, before)


def screen_obstacle() -> str | None:
    """Return why no window can be opened through a Unix socket, the one way out of a namespace, or None."""
    display = os.environ.get("DISPLAY", "")
    if not display:
        return "there is no screen here (DISPLAY is not set): --headless plays a script instead"
    host, _, rest = display.partition(":")
    path = Path(f"/tmp/.X11-unix/X{rest.split('.')[0]}")
    if host not in ("", "unix"):
        return f"the screen {display} is reached over a network that no host is on: use --headless"
    if not path.exists():
        return f"the screen {display} has no Unix socket {path}, and a host has no other way: use --headless"
    return None


def _report_orders(lan: Lan, orders: list[Order]) -> None:
    """Print what the switch has done to which frames, and which orders it did not carry out."""
    actions = lan.state()["actions"]
    for action in actions:
        seq = f", seq {action['seq']}" if action["seq"] is not None else ""
        print(f"switch | {action['did']}: frame {action['frame']} {action['cable']}, {action['kind']}{seq}")
    for order in orders:
        if str(order) not in {action["did"] for action in actions}:
            print(f"switch | {order}: not carried out: no such frame has passed")


def print_summary(path: Path) -> None:
    """Print what an eavesdropper learns from it, in a few lines."""
    from lab.exposure import eavesdrop

    intercept = eavesdrop(path)
    print(f"Read from it, without any key: {len(intercept.names)} users, {len(intercept.lines)} lines.")
    for who, text in intercept.lines[:10]:
        print(printable(f"  {who}: {text}"))
    print(f"Next: wireshark {path}, or a notebook (python3 lab notebooks).")
