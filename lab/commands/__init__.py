"""One file, one command, named as typed."""

import argparse
import re
import sys

LOCAL = "local"  # as a cluster's address: workers on this machine


def command_line(command: str, about: str) -> argparse.ArgumentParser:
    """Return a parser for the options of a command; ``--help`` prints ``about``."""
    return argparse.ArgumentParser(prog=f"lab {command}", description=about)


def course_key(text: str) -> str:
    """Return the course's key. Raises what argparse reports where it is empty, as an unset variable of a shell is."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the course's key is empty")
    return text


def at_least_one(text: str) -> int:
    """Return a number of 1 or more. Raises what argparse reports where it is not one."""
    if not re.fullmatch("0*[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError("must be 1 or more")
    return int(text)


def cluster_address(text: str) -> str:
    """Return ``local`` or a scheduler's address. Raises what argparse reports where it is neither."""
    return text if text == LOCAL else scheduler_address(text, f"{LOCAL} or ")


def scheduler_address(text: str, instead: str = "") -> str:
    """Return a scheduler's address. Raises what argparse reports where it is not one."""
    parts = re.fullmatch(r"tcp://(?:[\w.-]+|\[[^\]\s]+\]):([0-9]{1,5})", text)
    if not parts or not 0 < int(parts[1]) < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address: write {instead}tcp://HOST:PORT")
    return text


def refuse(command: str, reason: object) -> int:
    """Print on one line why a command cannot do what was asked; return its exit code."""
    print(f"lab {command}: {reason}", file=sys.stderr)
    return 2


def file_fault(error: OSError, path: object) -> str:
    """Return which file an error is about, ``path`` if the error names none, and what is wrong with it."""
    name = str(error.filename or path).removesuffix(".part")  # of a file that is renamed when it is whole
    return f"{name}: {error.strerror or error}"


def print_bar(done: int, total: int, what: str) -> None:
    """Print a bar that grows in place on a terminal, and a line each time elsewhere."""
    filled = 30 * done // max(total, 1)
    line = f"[{'#' * filled}{'.' * (30 - filled)}] {done} of {total}  {what}"
    live = sys.stdout.isatty()
    print(f"\r\x1b[K{line[:110]}" if live else line, end="" if live and done < total else "\n", flush=True)
