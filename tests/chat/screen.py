"""A screen for the windows' tests: an Xvfb on a display number that it picks itself, openbox if wanted."""

import contextlib
import os
import select
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from tests.chat.rig import BOUND_S


def missing(*programs: str) -> str | None:
    """Why no window can be opened here, or None; ``programs`` are wanted beside Xvfb."""
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return "this Python has no tkinter"
    return next(
        (f"{name} is not installed" for name in ("Xvfb", *programs) if shutil.which(name) is None), None
    )


@contextlib.contextmanager
def xvfb(size: str = "1280x900x24", dpi: int = 96):
    """Start an X server without a screen, and yield its display name."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-dpi", str(dpi), "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def desktop(size: str, dpi: int, folder: Path):
    """Start an X server and openbox, which puts frames around windows and gives one of them the keyboard."""
    with xvfb(f"{size}x24", dpi) as display:
        os.mkfifo(ready := folder / "ready")
        waiting = os.open(ready, os.O_RDONLY | os.O_NONBLOCK)
        environment = {**os.environ, "DISPLAY": display, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        command = ["openbox", "--sm-disable", "--startup", f"sh -c 'echo ready > {shlex.quote(str(ready))}'"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            assert select.select([waiting], [], [], BOUND_S)[0], "openbox did not start"
            yield display
        finally:
            os.close(waiting)
            process.terminate()
            process.wait()


def until(root, condition, bound_s: float = BOUND_S):
    """Run the window's events until the condition is true; returns its value."""
    deadline = time.monotonic() + bound_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"the window never got there: {root.geometry()}"
        root.update()
        time.sleep(0.005)  # the event loop's own pace, not a wait for anything
    return value


def until_running(condition, process: subprocess.Popen, what: str, bound_s: float = 60):
    """Ask again and again until the condition is true, while the process runs; return its value."""
    deadline = time.monotonic() + bound_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        assert process.poll() is None, f"the program has ended before: {what}"
        time.sleep(0.02)
    return value


def screenshot(display: str, path) -> None:
    """The whole screen as a PNG, where ImageMagick is installed."""
    if shutil.which("import"):
        subprocess.run(["import", "-display", display, "-window", "root", str(path)], check=True, timeout=60)


def settled_picture(display: str, path: Path) -> bytes:
    """Take the screen once two looks at it are the same (but for a blinking cursor it is soon)."""
    seen: set[bytes] = set()
    while True:
        screenshot(display, path)
        pixels = subprocess.run(["convert", path, "rgb:-"], capture_output=True, check=True).stdout
        if pixels in seen:
            return path.read_bytes()
        seen.add(pixels)


def xdotool(display: str, *arguments) -> str:
    """Do with mouse, keys and windows what a person would; return what xdotool prints."""
    command = ["xdotool", *map(str, arguments)]
    environment = os.environ | {"DISPLAY": display}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30).stdout


def windows_called(display: str, title: str) -> list[str]:
    """Return the ids of the windows with this title; which is whose does not show from outside."""
    return xdotool(display, "search", "--name", f"^{title}$").split()


def press(display: str, window: str, *keys: str) -> None:
    """Give a window the keyboard, and press keys in it."""
    xdotool(display, "windowfocus", "--sync", window, "key", "--clearmodifiers", *keys)
