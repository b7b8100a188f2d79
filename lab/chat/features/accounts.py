"""Authentication: accounts with passwords in a SQLite file, or one password for the room.

A password is never kept, only what scrypt (RFC 7914) makes of it and a salt of its own. scrypt is slow and wants 16
MiB on purpose: whoever steals the file has to pay that for every guess. So does the server for every login; therefore
two at a time, or a storm of logins would be a storm of memory.

Wrong passwords from one address slow down: after FREE_GUESSES of them its clients are checked one at a time, each after
a wait that doubles. An address that is slowed down is not locked out, and forgotten after a while.

Not supported: changing a password over the wire; guesses from many addresses. Without TLS the password itself goes over the
wire for all to read (**lesson**); the client says so before it sends it.
"""

import contextlib
import hashlib
import hmac
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.chat.events import WireError
from lab.chat.features import Feature, Room
from lab.chat.json_wire import MAX_PASSWORD_CHARACTERS
from lab.chat.member import Member
from lab.chat.names import check_name, name_key
from lab.chat.private_file import make_private

SCRYPT = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 << 20}  # takes 128 * n * r bytes = 16 MiB
AT_A_TIME = 2
TABLE = "CREATE TABLE IF NOT EXISTS accounts (key TEXT PRIMARY KEY, name TEXT, salt BLOB, hash BLOB)"

FREE_GUESSES = 4  # wrong passwords from one address before it is slowed down
FIRST_WAIT_S = 0.5  # before the next one is checked; each further one doubles it
LONGEST_WAIT_S = 4  # the wait, and a client's turn to wait: both together are shorter than a login may take
FORGET_S = 600
MOST_HOSTS = 10_000  # remembered


@dataclass
class _Guesser:
    """An address, and the wrong passwords that came from it."""

    wrong: int = 0
    last_s: float = field(default_factory=time.monotonic)
    turn: threading.Lock = field(default_factory=threading.Lock)


class PasswordCheck(Feature):
    """Base of the two below, which define ``is_right``. A client that guesses is slowed down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the next one
        self._guessers: dict[str, _Guesser] = {}  # by address, the last one to log in at the end

    def is_right(self, name: str, password: str) -> bool:
        raise NotImplementedError

    def admit(self, member: Member, password: str | None) -> None:
        if not password:
            raise WireError("wrong_password")
        guesser = self._guesser(member.connection.peer[0])
        if guesser.wrong < FREE_GUESSES:
            self._check(guesser, member.name, password)
            return
        if not guesser.turn.acquire(timeout=LONGEST_WAIT_S):
            raise WireError("wrong_password", "too many wrong passwords from this address: try again later")
        try:
            wait_s = min(FIRST_WAIT_S * 2 ** min(guesser.wrong - FREE_GUESSES, 10), LONGEST_WAIT_S)
            self.room.closing.wait(guesser.last_s + wait_s - time.monotonic())
            self._check(guesser, member.name, password)
        finally:
            guesser.turn.release()

    def _guesser(self, host: str) -> _Guesser:
        with self._lock:
            guesser = self._guessers.pop(host, None)
            if guesser is None or time.monotonic() - guesser.last_s > FORGET_S:
                guesser = _Guesser()
            self._guessers[host] = guesser
            if len(self._guessers) > MOST_HOSTS:
                del self._guessers[next(iter(self._guessers))]
            return guesser

    def _check(self, guesser: _Guesser, name: str, password: str) -> None:
        if not self.is_right(name, password):
            with self._lock:
                guesser.wrong, guesser.last_s = guesser.wrong + 1, time.monotonic()
            raise WireError("wrong_password")


class Accounts(PasswordCheck):
    """Admits only users with an account, each under its name. ``add`` makes one."""

    offers = ("accounts",)

    def __init__(self, path: Path | str):
        super().__init__()
        self.path = path
        self._scrypt = threading.Semaphore(AT_A_TIME)

    def open(self, room: Room) -> None:
        with self._database():  # it can be used
            super().open(room)

    def add(self, name: str, password: str) -> str:
        """Make an account, or change its password; return the name as it is kept. Raises WireError or OSError."""
        name, salt = check_name(name), os.urandom(16)
        if not 0 < len(password) <= MAX_PASSWORD_CHARACTERS:
            raise WireError("wrong_password", f"a password has 1 to {MAX_PASSWORD_CHARACTERS} characters")
        row = (name_key(name), name, salt, self._hash(password, salt))
        with self._database() as database:
            database.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)", row)
        return name

    def is_right(self, name: str, password: str) -> bool:
        with self._database() as database:
            query = "SELECT salt, hash FROM accounts WHERE key = ?"
            found = database.execute(query, (name_key(name),)).fetchone()
        salt, expected = found or (b"\0" * 16, b"")  # without an account the answer takes as long
        return hmac.compare_digest(self._hash(password, salt), expected)

    def rename(self, member: Member, name: str) -> None:
        if name_key(name) != name_key(member.name):
            raise WireError("not_offered", "here a name belongs to an account, so it stays")

    def _hash(self, password: str, salt: bytes) -> bytes:
        with self._scrypt:
            return hashlib.scrypt(password.encode(errors="replace"), salt=salt, **SCRYPT)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one ``with``: committed at its end, closed in any case."""
        try:
            make_private(self.path)
            database = sqlite3.connect(self.path, timeout=10)
            database.execute(TABLE)
        except (OSError, sqlite3.Error) as error:
            raise OSError(f"cannot use the accounts in {self.path}: {error}") from error
        with contextlib.closing(database), database:
            yield database


class RoomPassword(PasswordCheck):
    """One password for everybody."""

    offers = ("password",)

    def __init__(self, password: str):
        super().__init__()
        self._password = password.encode()

    def is_right(self, name: str, password: str) -> bool:
        return hmac.compare_digest(password.encode(errors="replace"), self._password)
