"""Authentication: accounts with passwords in a SQLite file, or one password for the room.

A password is never kept, only what scrypt (RFC 7914) makes of it and a salt of its own. scrypt is slow and wants 16
MiB on purpose: whoever steals the file has to pay that for every guess. So does the server for every login; therefore
two at a time, or a storm of logins would be a storm of memory.

Not supported: changing a password over the wire, locking out who guesses. Without TLS the password itself goes over the
wire for all to read (**lesson**); the client says so before it sends it.
"""

import hashlib
import hmac
import os
import sqlite3
import threading
from pathlib import Path

from lab.chat import lines
from lab.chat.feature import Feature

COST = 2**14  # scrypt's N: with BLOCK it takes 128 * N * r bytes = 16 MiB
BLOCK = 8  # r
PARALLEL = 1  # p
MAX_SCRYPT_BYTES = 64 << 20
AT_A_TIME = 2


class Accounts(Feature):
    """Only who has an account comes in, under its name alone. ``add`` makes one."""

    offers = ("accounts",)

    def __init__(self, path: Path | str):
        self.path = path
        self._scrypt = threading.Semaphore(AT_A_TIME)

    def open(self, room) -> None:
        super().open(room)
        with self._database() as database:
            database.execute("SELECT COUNT(*) FROM accounts")

    def add(self, name: str, password: str) -> str:
        """Make an account, or give it a new password; returns the name as it is kept. Raises LineError, OSError."""
        name, salt = lines.check_name(name), os.urandom(16)
        if not 0 < len(password) <= lines.MAX_PASSWORD_CHARACTERS:
            raise lines.LineError("wrong_password", f"a password has 1 to {lines.MAX_PASSWORD_CHARACTERS} characters")
        with self._database() as database:
            row = (lines.name_key(name), name, salt, self._hash(password, salt))
            database.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)", row)
        return name

    def admit(self, name: str, password: str | None) -> None:
        with self._database() as database:
            query = "SELECT salt, hash FROM accounts WHERE key = ?"
            found = database.execute(query, (lines.name_key(name),)).fetchone()
        salt, expected = found or (b"\0" * 16, b"")  # who has no account waits as long as who mistyped
        if not hmac.compare_digest(self._hash(password or "", salt), expected):
            raise lines.LineError("wrong_password")

    def rename(self, member, name: str) -> None:
        if lines.name_key(name) != lines.name_key(member.name):
            raise lines.LineError("not_offered", "here a name belongs to an account, so it stays")

    def _hash(self, password: str, salt: bytes) -> bytes:
        with self._scrypt:
            data = password.encode(errors="replace")
            return hashlib.scrypt(data, salt=salt, n=COST, r=BLOCK, p=PARALLEL, maxmem=MAX_SCRYPT_BYTES)

    def _database(self) -> "_Database":
        return _Database(self.path)


class _Database:
    """The accounts' file, open for one ``with``: committed at its end, closed in any case."""

    def __init__(self, path: Path | str):
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._database = sqlite3.connect(self._path, timeout=10)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS accounts (key TEXT PRIMARY KEY, name TEXT, salt BLOB, hash BLOB)"
            )
        except sqlite3.Error as error:
            raise OSError(f"cannot use the accounts in {self._path}: {error}") from error
        return self._database

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self._database.commit()
        self._database.close()


class RoomPassword(Feature):
    """One password for everybody."""

    offers = ("password",)

    def __init__(self, password: str):
        self._password = password.encode()

    def admit(self, name: str, password: str | None) -> None:
        if not hmac.compare_digest((password or "").encode(errors="replace"), self._password):
            raise lines.LineError("wrong_password")
