"""Make the README's pictures again: ``.venv/bin/python -m tests.pictures [FOLDER]``, by default captures/pictures.

``chat.png`` is a screenshot of Brandon and John at the client's windows, on the report's LAN; Alice is in the room too.
``exposure.png`` is the chart of the captures that ship. ``tests.page_pictures`` has the pictures of pages.
"""

import functools
import os
import queue
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.charts import draw_exposure, to_png
from lab.chat import events
from lab.chat.client import ChatClient
from lab.chat.login import Login
from lab.exposure import eavesdrop, score
from lab.harness.manifest import MANIFEST, read_manifest
from lab.harness.remote_chat import dial_from, remote_server
from lab.harness.scenarios.report import HOST_OF
from lab.harness.variant import REPORT_PORT
from lab.net.lan import Lan
from lab.net.plan import REPORT_LAN
from lab.setup.paths import ROOT
from tests.chat import screen
from tests.chat.rig import until
from tests.page_pictures import draw_live, explorer_picture

FOLDER = ROOT / "captures" / "pictures"
WIDTH, HEIGHT, TITLE_BAR = 600, 384, 24  # pixels, of one window; two of them side by side are the picture
COLOURS = 64  # enough for text and bars, and a third of the bytes
SAID = (("Brandon", "hello"), ("John", "hi Brandon"), ("Brandon", "who else is here?"))


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    draw_chat(folder / "chat.png")
    draw_chart(folder / "exposure.png")
    draw_live(folder / "live.gif")
    _write_small(explorer_picture(), folder / "explorer.png")
    return 0


def draw_chat(path: Path) -> None:
    """Log two users in at their windows, let them chat, and take the screen."""
    arrivals: queue.SimpleQueue = queue.SimpleQueue()  # the lines of the server's console
    with (
        tempfile.TemporaryDirectory() as folder,
        screen.desktop(f"{2 * WIDTH}x{HEIGHT + TITLE_BAR}", 96, Path(folder)) as display,
        Lan(REPORT_LAN) as lan,
        remote_server(lan["server"], REPORT_PORT, arrivals.put),
    ):
        server = lan["server"].address
        windows = {name: _log_in(display, lan, name, arrivals) for name in ("Brandon", "John")}
        dial = dial_from(lan[HOST_OF["Alice"]])
        alice = ChatClient(Login("Alice", server, REPORT_PORT, dial=dial)).connect()
        alice.announce()
        until(alice, events.Announced("Alice"))
        alice.ask_users()
        until(alice, events.Users(("Brandon", "John", "Alice")))
        for name, text in SAID:
            screen.xdotool(display, "windowfocus", "--sync", windows[name], "type", "--delay", "1", text)
            screen.press(display, windows[name], "Return")
            until(alice, events.Said(name, text))
        alice.say("hello everyone")
        until(alice, events.Said("Alice", "hello everyone"))
        screen.settled_picture(display, Path(folder) / "whole.png")
        _write_small((Path(folder) / "whole.png").read_bytes(), path)
        alice.leave()


def _log_in(display: str, lan: Lan, name: str, arrivals: queue.SimpleQueue) -> str:
    """Open a client's window beside those that are there, and press Connect; returns the window's id."""
    place = 0 if name == "Brandon" else WIDTH
    command = [
        sys.executable,
        str(ROOT / "lab" / "client.py"),
        "--name",
        name,
        "--host",
        lan["server"].address,
    ]
    client = lan[HOST_OF[name]].popen(
        command, stdin=subprocess.DEVNULL, env=os.environ | {"DISPLAY": display}
    )
    called = functools.partial(screen.windows_called, display)
    (window,) = screen.until_running(lambda: called("Enter Username"), client, f"{name}'s login window")
    screen.press(display, window, "Return")
    while not arrivals.get(timeout=screen.BOUND_S).startswith(f"*** {name} Connected "):
        pass
    screen.until_running(lambda: window in called(".*Chatting Program"), client, f"{name}'s chat window")
    screen.xdotool(display, "windowsize", "--sync", window, WIDTH, HEIGHT)
    screen.xdotool(display, "windowmove", "--sync", window, place, 0)
    return window


def draw_chart(path: Path) -> None:
    """Draw what an eavesdropper reads of the shipped chat, in plaintext and over TLS 1.3."""
    chat = ROOT / "captures" / "chat"
    entries = {entry["file"]: entry for entry in read_manifest(chat / MANIFEST)["recordings"]}
    chosen = [entries[name] for name in ("plain.pcapng", "tls13.pcapng")]
    scores = {entry["label"]: score(eavesdrop(chat / entry["file"]), entry) for entry in chosen}
    _write_small(to_png(draw_exposure(scores)), path)


def _write_small(png: bytes, path: Path) -> None:
    command = ["convert", "png:-", "-strip", "+dither", "-colors", str(COLOURS), f"PNG8:{path}"]
    subprocess.run(command, input=png, check=True, timeout=60)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
