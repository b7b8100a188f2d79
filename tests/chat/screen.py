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


def screenshot(display: str, path) -> None:
    """The whole screen as a PNG, where ImageMagick is installed."""
    if shutil.which("import"):
        subprocess.run(["import", "-display", display, "-window", "root", str(path)], check=True, timeout=60)
