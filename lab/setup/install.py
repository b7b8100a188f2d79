"""Install packages into an environment: with uv where it is on the PATH, with pip elsewhere.

First the lock: the same versions for a whole class, each file checked against its hash. Where the lock has nothing
for this Python or system (no wheel), the ranges of requirements.txt decide. If the registry cannot be reached, the
first failed connection ends the attempt, before pip retries; one that is lost later is retried. Standard library only.
"""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

SILENCE_S = 5  # after this, a line says what the wait is for
OUT_OF_REACH = ("after connection broken by", "Failed to fetch", "error sending request")
NOT_THERE = ("No matching distribution found", "No solution found")
LOCK = "lab/setup/requirements.lock"
OTHER_HASH = ("DO NOT MATCH THE HASHES", "Hash mismatch")
# First words once a package was found.
FOUND = ("Downloading", "Using", "Processing", "Requirement", "Resolved")


CAPTURED: dict[str, Any] = {"stdin": DEVNULL, "stdout": PIPE, "stderr": STDOUT}
CAPTURED |= {"text": True, "errors": "replace"}


class SetupError(Exception):
    """The set-up cannot continue; the text says why and what to do."""


class OutOfReach(SetupError):
    """The package registry does not answer; nothing was changed."""


class NotThere(SetupError):
    """The registry does not have what was asked for, for this Python and system; nothing was changed."""


def install_locked(python: Path, lock: Path) -> bool:
    """Install what the lock names; return whether it has packages for this Python and system. Raise SetupError."""
    try:
        _install(python, "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock))
    except NotThere:
        return False
    return True


def install_ranges(python: Path, requirements: Path) -> None:
    """Install what requirements.txt asks for, in any version within its ranges. Raise SetupError."""
    _install(python, "--requirement", str(requirements))


def uv() -> str | None:
    """Return the path of uv, or None."""
    return shutil.which("uv")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _install(python: Path, *arguments: str) -> None:
    if tool := uv():
        command = [tool, "pip", "install", "--python", str(python), *arguments]
    else:
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        command = [*pip, *arguments]
    waiting = "  the package registry has not answered yet: is this machine online?"
    silence = threading.Timer(SILENCE_S, say, [waiting])
    environment = {"UV_HTTP_RETRIES": "1", **os.environ}
    # The installer shares the lock (close_fds): if it outlives a killed set-up, it still holds it.
    with subprocess.Popen(command, **CAPTURED, env=environment, close_fds=False) as installer:
        silence.start()
        try:
            lines = _follow(installer, silence)
        except BaseException:
            installer.terminate()
            installer.wait()
            raise
        finally:
            silence.cancel()
    if installer.returncode:
        raise _failure(lines)


def _follow(installer: subprocess.Popen[str], silence: threading.Timer) -> list[str]:
    """Read the output to its end and print the few lines that matter; return all lines."""
    lines: list[str] = []
    packages, live, found = 0, sys.stderr.isatty(), False
    for line in installer.stdout or ():
        lines.append(line.rstrip())
        first, second, *_ = [*line.split(), "", ""]
        if not found and first in FOUND:
            found = True
            silence.cancel()
        if not found and OUT_OF_REACH[0] in line:
            installer.terminate()  # pip would try each index four more times
        if first == "Resolved":
            say(f"  fetching and installing {second} packages ...")
        elif first == "Collecting":
            packages += 1
            progress = f"  fetching package {packages}: {second[:50]}"
            if live:
                print(f"\r\x1b[K{progress}", end="", file=sys.stderr, flush=True)
            elif packages % 20 == 1:
                say(progress)
        elif (first, second) == ("Installing", "collected"):
            say(("\r\x1b[K" if live else "") + "  installing the packages ...")
    return lines


def _failure(lines: list[str]) -> SetupError:
    """Return the error that the installer's output describes."""

    def said(phrases: tuple[str, ...]) -> bool:
        return any(phrase in line for phrase in phrases for line in lines)

    if said(OUT_OF_REACH):
        return OutOfReach("the package registry cannot be reached: is this machine online? Then try again")
    if said(OTHER_HASH):
        return SetupError(f"the registry sent a file that is not the one in {LOCK}: nothing was installed")
    error = NotThere if said(NOT_THERE) else SetupError
    last = [f"  | {line}" for line in lines if line.strip() and not line.startswith("[notice]")][-3:]
    return error("\n".join(["the packages could not be installed:", *last]))


def run_quietly(
    command: list[str], what: str, environment: dict[str, str] | None = None, close_fds: bool = True
) -> None:
    """Run a program without showing its output. With ``close_fds=False`` it holds the lock as long as it runs."""
    done = subprocess.run(command, **CAPTURED, env=environment, close_fds=close_fds)
    if done.returncode:
        last = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SetupError(f"{what} failed: {last[0]}")
