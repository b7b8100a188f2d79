"""What a feature of the server may do. The server itself is minimal: accept, join, broadcast, leave.

A feature is an object that the server is handed: ``ChatServer(..., features=[Private(), History("chat.db")])``. Each
hook below is called where its docstring says, and does nothing unless a feature overrides it.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from lab.chat.events import Event, Reply, Said
from lab.chat.member import Member, Post

Room: TypeAlias = Any  # its module imports this one, so its type has no name in here


class Feature:
    """Base of all features. ``offers`` are the words that a client learns in its welcome."""

    offers: tuple[str, ...] = ()
    room: Room = None  # once open() was called

    def open(self, room: Room) -> None:
        """The server starts. May raise OSError with a text for people."""
        self.room = room

    def close(self) -> None:
        """The server has ended; may be called without ``open``."""

    def admit(self, member: Member, password: str | None) -> None:
        """In the client's thread, before the member has its name: raise WireError to refuse it.

        ``password`` is None on the report wire.
        """

    def rename(self, member: Member, name: str) -> None:
        """In the client's thread: raise WireError to refuse a member another name."""

    def handle(self, member: Member, request: Event) -> bool:
        """In the client's thread: True where the feature has taken care of the request. May raise WireError."""
        return False

    def store(self, batch: list[Post]) -> None:
        """In the broadcaster, before a batch is delivered; may put other events in place of some."""

    def heard(self, said: Said) -> None:
        """In the broadcaster, for each message in the order in which all members are sent them."""

    def greet(self, member: Member) -> Iterable[Reply]:
        """In the broadcaster, when a member arrives: more events for its welcome."""
        return ()
