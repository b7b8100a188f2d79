"""All that a client needs to join a chat."""

import socket
import ssl
from dataclasses import dataclass, field

from lab.chat.connection import Dial, Tap


class ChatError(OSError):
    """The chat cannot be joined; the text says why and what to do, in one line."""


@dataclass(frozen=True)
class Login:
    """The user, the server and the way between them. ``pad_to`` (bytes) and ``password`` need the json wire."""

    name: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    wire: str = "report"
    password: str | None = field(default=None, repr=False)
    pad_to: int = 0
    typing: bool = False  # report each key, where the server passes that on
    dial: Dial = socket.create_connection  # makes the TCP connection
    server_name: str | None = None  # what the certificate must be made for, where that is not ``host``
    tap: Tap | None = None  # is shown every byte that goes over the wire

    @property
    def warning(self) -> str | None:
        """A line for the user to read before connecting, or None."""
        if self.password and not self.tls:
            return (
                "without TLS the password goes over the wire in plaintext: everybody on the path can read it"
            )
        return None
