"""Message retention: what is said is kept in a SQLite file, and a newcomer hears the last lines again.

The broadcaster stores each batch in one transaction *before* anyone gets it. So whatever came back to its sender is in
the file, also when the server is killed the next moment (the operating system has it by then). A power cut is another
matter: for that, ``synchronous = FULL`` waits for the disk, batch by batch.

Private messages are not kept. Clients of the report's get no replay: it would arrive as one read.
"""

import sqlite3
import time
from collections import deque
from pathlib import Path

from lab.chat.events import Said, WireError
from lab.chat.features import Feature, Room
from lab.chat.member import Member, Post
from lab.chat.private_file import make_private

REPLAY = 50  # lines
SETUP = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS said (number INTEGER PRIMARY KEY, time INTEGER, name TEXT, text TEXT);
CREATE INDEX IF NOT EXISTS said_when ON said (time);
"""
DAY_S = 86_400


class History(Feature):
    """``days``: what is older is forgotten, for good. ``replay``: how many lines a newcomer hears."""

    offers = ("history",)

    def __init__(self, path: Path | str, days: float | None = None, replay: int = REPLAY):
        self.path, self.days = path, days
        self._last: deque[Said] = deque(maxlen=replay)
        self._database: sqlite3.Connection | None = None

    def open(self, room: Room) -> None:
        super().open(room)
        try:
            make_private(self.path)
            # Opened here, used by the broadcaster alone, closed when that has ended.
            self._database = sqlite3.connect(self.path, check_same_thread=False)
            self._database.executescript(SETUP)
            self.keep([])
            query = "SELECT time, name, text FROM said ORDER BY number DESC LIMIT ?"
            for when, name, text in reversed(self._database.execute(query, (self._last.maxlen,)).fetchall()):
                self._last.append(Said(name, text, time=when))
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise OSError(f"cannot keep a history in {self.path}: {error}") from error

    def close(self) -> None:
        if self._database:
            self._database.close()
            self._database = None

    def store(self, batch: list[Post]) -> None:
        said = [(post, post.event) for post in batch if isinstance(post.event, Said)]
        try:
            self.keep([event for _, event in said])
        except (OSError, sqlite3.Error) as error:
            self.room.console(f"Not stored, so not delivered: {len(said)} messages: {self.path}: {error}")
            for post, event in said:
                post.event = WireError("not_stored", id=event.id).refusal()
                post.to = [post.sender] if post.sender else []

    def keep(self, said: list[Said]) -> None:
        """Put messages on file, and forget what is too old, in one transaction."""
        now = int(time.time())
        assert self._database
        with self._database:
            rows = [(now, one.name, one.text) for one in said]
            self._database.executemany("INSERT INTO said (time, name, text) VALUES (?, ?, ?)", rows)
            if self.days is not None:
                self._database.execute("DELETE FROM said WHERE time < ?", (now - self.days * DAY_S,))

    def heard(self, said: Said) -> None:
        self._last.append(Said(said.name, said.text, time=int(time.time())))

    def greet(self, member: Member) -> list[Said]:
        return list(self._last) if member.wire.welcomes else []
