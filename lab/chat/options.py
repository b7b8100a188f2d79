"""The options of the chat's programs: a login as people type it, and a line printed at once."""

import argparse
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from lab.chat.connection import Tap
from lab.chat.features.cures import PAD_BYTES, CuredLogin
from lab.chat.login import Login
from lab.chat.tls import client_context

MAX_PAD_BYTES = 4_096
PAD_HELP = "pad lines to blocks of N bytes, against guessing by length"


@dataclass(frozen=True)
class LoginOptions:
    """The client's options, and the boxes of its login window: a ``Login`` before its files are read."""

    name: str = ""
    host: str = "localhost"
    port: int = 9898
    wire: str = "report"
    password: str = field(default="", repr=False)
    pad_to: int = 0
    typing: bool = False
    tls: bool = False
    ca_file: str | None = None
    tls_version: str | None = None
    key_log: str | None = None
    cure: str = "none"

    def login(self, tap: Tap | None = None) -> Login:
        """Return the login; the report wire has neither passwords nor padding. Raises TlsError."""
        context = client_context(self.ca_file, self.tls_version, self.key_log) if self.tls else None
        is_json = self.wire == "json"
        password = self.password or None if is_json else None
        pad_to = (self.pad_to or PAD_BYTES.get(self.cure, 0)) if is_json else 0
        typing = self.typing and is_json
        login = Login(self.name, self.host, self.port, context, self.wire, password, pad_to, typing, tap=tap)
        return login if self.cure == "none" else CuredLogin(**vars(login), cure=self.cure)


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
    """Print at once, also into a pipe. False when whoever read it has gone (``| head``).

    The end of the line is written with the line: ``print`` writes it by itself, and another thread's line may come
    between the two.
    """
    output = output or sys.stdout
    try:
        output.write(f"{line}\n")
        output.flush()
    except BrokenPipeError:
        if output is sys.stdout:  # or Python would complain once more when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        return False
    return True
