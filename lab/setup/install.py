"""Fetching and installing packages into an environment, with uv where it is on the PATH and with pip elsewhere.

First what the lock names: the same versions for a whole class, each file checked against its hash. Where the lock has
nothing for this Python or system (no wheel), the ranges of requirements.txt decide. uv's and pip's output is folded into
a few lines, and shown where it explains a failure. A registry that cannot be reached ends it at the first failed
connection, before pip begins to repeat itself; a connection lost later on is retried. Standard library only.
"""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

SILENCE_S = 5  # from here on the wait is explained
OUT_OF_REACH = ("after connection broken by", "Failed to fetch", "error sending request")
NOT_THERE = ("No matching distribution found", "No solution found")
OTHER_HASH = ("DO NOT MATCH THE HASHES", "Hash mismatch")
FETCHED = {
    "Downloading",
    "Using",
    "Processing",
    "Requirement",
    "Resolved",
}  # how lines begin once a package was found


class SetupError(Exception):
    """The set-up cannot go on; the text says why and the one thing to do."""


class OutOfReach(SetupError):
    """The package registry does not answer; nothing was changed."""


class NotThere(SetupError):
    """The registry does not have what was asked for, for this Python and system; nothing was changed."""


def install_locked(python: Path, lock: Path) -> bool:
    """Install what the lock names; return whether it has packages for this Python and system. Raises SetupError."""
    try:
        _install(python, ["--require-hashes", "--only-binary", ":all:", "--requirement", str(lock)])
    except NotThere:
        return False
    return True


def install_ranges(python: Path, requirements: Path) -> None:
    """Install what requirements.txt asks for, in any version within its ranges. Raises SetupError."""
    _install(python, ["--requirement", str(requirements)])


def uv() -> str | None:
    """The path of uv, or None."""
    return shutil.which("uv")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _install(python: Path, arguments: list[str]) -> None:
    if uv():
        command = [uv(), "pip", "install", "--python", str(python), *arguments]
    else:
        command = [
            str(python),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            *arguments,
        ]
    lines: list[str] = []
    silence = threading.Timer(
        SILENCE_S, say, ["  the package registry has not answered yet: is this machine online?"]
    )
    installer = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={"UV_HTTP_RETRIES": "1", **os.environ},
        close_fds=False,  # it shares the lock: what a killed set-up leaves running still keeps the next one waiting
    )
    silence.start()
    try:
        _follow(installer, lines, silence)
        installer.wait()
    except BaseException:
        installer.terminate()
        installer.wait()
        raise
    finally:
        silence.cancel()
        installer.stdout.close()
    if installer.returncode:
        raise _failure(lines)


def _follow(installer: subprocess.Popen, lines: list[str], silence: threading.Timer) -> None:
    """Collect the output in ``lines`` and print the few that count."""
    seen = 0
    live = sys.stderr.isatty()
    fetched = False
    for line in installer.stdout:
        lines.append(line.rstrip())
        words = line.split()
        if not fetched and FETCHED & set(words[:1]):
            fetched = True
            silence.cancel()
        if not fetched and OUT_OF_REACH[0] in line:
            installer.terminate()  # pip would try each index four times more
        if words[:1] == ["Resolved"]:
            say(f"  fetching and installing {words[1]} packages ...")
        elif words[:1] == ["Collecting"]:
            seen += 1
            if live:
                print(
                    f"\r\x1b[K  fetching package {seen}: {words[1][:50]}", end="", file=sys.stderr, flush=True
                )
            elif seen % 20 == 1:
                say(f"  fetching package {seen}: {words[1]}")
        elif words[:2] == ["Installing", "collected"]:
            say(("\r\x1b[K" if live else "") + "  installing the packages ...")


def _failure(lines: list[str]) -> SetupError:
    """What the installer's output says about why it failed."""
    text = "\n".join(lines)
    if any(words in text for words in OUT_OF_REACH):
        return OutOfReach("the package registry cannot be reached: is this machine online? Then try again")
    if any(words in text for words in OTHER_HASH):
        return SetupError(
            "the registry sent a file that is not the one in lab/setup/requirements.lock: nothing was installed"
        )
    error = NotThere if any(words in text for words in NOT_THERE) else SetupError
    last = [line for line in lines if line.strip() and not line.startswith("[notice]")][-3:]
    return error("\n".join(["the packages could not be installed:", *(f"  | {line}" for line in last)]))


def run(command: list[str], what: str, environment: dict | None = None, close_fds: bool = True) -> None:
    """Run a program without its output. ``close_fds=False`` lets it keep the lock, even after this process was killed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        close_fds=close_fds,
    )
    if done.returncode:
        last = done.stdout.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SetupError(f"{what} failed: {last[0]}")
