"""What a feature of the server may do. The server itself is minimal: accept, join, broadcast, leave.

A feature is an object that the server is handed: ``ChatServer(..., features=[Private(), History("chat.db")])``. Each
hook below is called where its docstring says, and does nothing unless a feature overrides it.
"""

from lab.chat import lines


class Feature:
    """Base of all features. ``offers`` are the words that a client learns in its welcome."""

    offers: tuple[str, ...] = ()
    room = None  # the lab.chat.room.Room, once open() was called

    def open(self, room) -> None:
        """The server starts. May raise OSError with a text for people."""
        self.room = room

    def close(self) -> None:
        """The server has ended; may be called without ``open``."""

    def admit(self, name: str, password: str | None, host: str = "") -> None:
        """In the client's thread: raise LineError to refuse the client at ``host``.

        ``password`` is None on the report wire.
        """

    def rename(self, member, name: str) -> None:
        """In the client's thread: raise LineError to refuse a member another name."""

    def handle(self, member, request: lines.Request) -> bool:
        """In the client's thread: True where the request was this feature's business. May raise LineError."""
        return False

    def store(self, batch: list[lines.Said]) -> None:
        """In the broadcaster, before a batch is delivered: raise OSError to have it refused instead."""

    def heard(self, said: lines.Said) -> None:
        """In the broadcaster, for each message in the order in which all members get them."""

    def greet(self, member) -> bytes:
        """In the broadcaster, when a member's turn to arrive has come: more lines for its welcome."""
        return b""
