"""What a witness has cosigned, in SQLite: one row for each log.

A commit is on the disk before `advance` returns. In the mode that SQLite calls WAL, with
`synchronous=FULL`, a commit syncs the log that holds it. With the older rollback journal, a power
failure can undo the last commit (sqlite.org/pragma.html, synchronous).
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from direct311.verifier.merkle import EMPTY_ROOT

_TABLE = """
CREATE TABLE IF NOT EXISTS logs (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL
) STRICT
"""


class ForgottenError(Exception):
    """The memory is missing. A witness that has forgotten what it cosigned must not go on under the
    same key: somebody could make it cosign a second history."""


@dataclass(frozen=True, slots=True)
class Head:
    """A cosigned tree: the `root` (32 bytes) of its `size` entries."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class Memory:
    """The latest head of each log. Any number of threads and processes may share one file."""

    def __init__(self, path: Path, origins: Iterable[str], *, begin: bool = False) -> None:
        """`begin` makes an empty memory if there is none, completely or not at all.

        Without `begin`, raises `ForgottenError` if there is no memory. A file that holds no log
        does not count as a memory, and is left unchanged.
        """
        if not begin and not path.exists():
            raise ForgottenError(f"{path} does not exist")
        self._lock = Lock()
        self._database = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        if not begin and not _remembers(self._database):
            self._database.close()
            raise ForgottenError(f"{path} holds no record of what was cosigned")
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(_TABLE)
            for origin in origins:
                empty = (origin, 0, EMPTY_ROOT, "")
                self._database.execute("INSERT OR IGNORE INTO logs VALUES (?, ?, ?, ?)", empty)

    def latest(self, origin: str) -> Head:
        """The head that was cosigned last; the empty tree if none was."""
        with self._lock, closing(self._database.cursor()) as cursor:
            cursor.execute("SELECT size, root FROM logs WHERE origin = ?", (origin,))
            return Head(*cursor.fetchone())

    def advance(self, origin: str, old: Head, new: Head, note: str) -> bool:
        """Replace `old` with `new`. Returns false and changes nothing if `old` is not the latest.

        `note` is kept for people.
        """
        with self._lock, closing(self._database.cursor()) as cursor:
            cursor.execute(
                "UPDATE logs SET size = ?, root = ?, note = ? "
                "WHERE origin = ? AND size = ? AND root = ?",
                (new.size, new.root, note, origin, old.size, old.root),
            )
            return cursor.rowcount == 1

    def close(self) -> None:
        self._database.close()


def _remembers(database: sqlite3.Connection) -> bool:
    """Whether it holds any log."""
    try:
        return database.execute("SELECT 1 FROM logs LIMIT 1").fetchone() is not None
    except sqlite3.DatabaseError as error:
        # The table is missing, or the file is not a database.
        if error.sqlite_errorcode in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB):
            return False
        raise
