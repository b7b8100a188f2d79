"""A screen for the windows' tests: an Xvfb of our own on a display number that it picks itself."""

import contextlib
import os
import shutil
import subprocess
import time

from tests.chat.rig import BOUND_S


def missing() -> str | None:
    """Why no window can be opened here, or None."""
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return "this Python has no tkinter"
    if os.name == "posix" and shutil.which("Xvfb") is None:
        return "Xvfb is not installed"
    return None


@contextlib.contextmanager
def xvfb(size: str = "1280x900x24"):
    """Start an X server without a screen, and yield its display name."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"],
        pass_fds=[writing], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        process.terminate()
        process.wait()


def until(root, condition, bound_s: float = BOUND_S):
    """Run the window's events until the condition is true; returns its value."""
    deadline = time.monotonic() + bound_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the window never got there"
        root.update()
        time.sleep(0.005)  # the event loop's own pace, not a wait for anything
    return value


def screenshot(display: str, path) -> None:
    """The whole screen as a PNG, where ImageMagick is installed."""
    if shutil.which("import"):
        subprocess.run(["import", "-display", display, "-window", "root", str(path)], check=True, timeout=60)
