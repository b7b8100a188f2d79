"""What the chat's two programs share: options, a password's file, printing at once."""

import argparse
import os
import sys
from pathlib import Path
from typing import TextIO

MAX_PAD_BYTES = 4_096
PAD_HELP = "pad lines to blocks of N bytes, against guessing by length"


def wire_name(text: str) -> str:
    """Return the name of a wire as somebody typed it, for ``argparse``. Raises ArgumentTypeError."""
    if text == "lines":
        raise argparse.ArgumentTypeError("the lines wire is now called json")
    return text


def block_size(text: str) -> int:
    """Return the block to which lines are padded, in bytes, for ``argparse``. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) > MAX_PAD_BYTES:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {MAX_PAD_BYTES}, not {text!r}")
    return int(text)


def read_password(path: Path | str) -> str:
    """Return a file's first line. Raises OSError."""
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\r\n")


def print_line(line: str, output: TextIO | None = None) -> bool:
    """Print at once, also into a pipe. False when whoever read it has gone (``| head``)."""
    output = output or sys.stdout
    try:
        print(line, file=output, flush=True)
    except BrokenPipeError:
        if output is sys.stdout:  # or Python would complain once more when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        return False
    return True
