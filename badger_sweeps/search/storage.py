"""Storages of searches: a journal file, SQLite or PostgreSQL, each with a lock that is freed when its holder dies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.optional_libraries import require

JOURNAL = "study.journal"
BEGINNING = b'{"op_code":'
"""The first bytes of every journal that Optuna writes."""
STORAGE_KEY = "hydra.sweeper.storage"
IDLE_TIMEOUT = 60
"""Seconds after which a PostgreSQL server disconnects a process that holds the lock and does nothing, because it is
stopped or its machine sleeps: the other processes would else wait for it without end."""


def storage_errors() -> tuple[type[Exception], ...]:
    """The exceptions that are raised when a database does not answer.

    A function, which ``except`` calls when there is an exception: importing SQLAlchemy takes 0.2 s, and searches in a
    journal do not need it.
    """
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError, StorageInternalError)


class StorageLost(Exception):
    """The storage cannot be read or written while a trial trains. The trial has not failed."""


@dataclass(frozen=True)
class StorageAddress:
    """The address of a storage, which this process or another one can open.

    Attributes:
        text: the absolute path of a journal file, or the URL of a database without its password.
    """

    text: str

    @classmethod
    def parse(cls, typed: str | None, folder: Path) -> StorageAddress:
        """The address that a user has typed; None stands for a journal file in the search's folder.

        A password in the address of a PostgreSQL server moves to the environment variable PGPASSWORD. The server's
        client reads it there and child processes inherit it, so that it appears in no file and no message.

        Raises:
            UsageError: it is neither the path of a journal file nor the URL of an SQLite or PostgreSQL database.
        """
        if not typed:
            return cls(str((folder / JOURNAL).absolute()))
        if "://" not in typed:
            return cls(str(Path(typed).expanduser().absolute()))
        from sqlalchemy.engine import make_url  # a late import, as in `storage_errors`
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(typed)
        except ArgumentError:
            raise _invalid_address(typed) from None
        kind = url.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise _invalid_address(typed)
        if kind == "sqlite":
            if not url.database or url.database == ":memory:":
                raise _invalid_address(typed)
            return cls(f"sqlite:///{Path(url.database).expanduser().absolute()}")
        password = url.query.get("password", url.password)
        if password is not None:
            os.environ["PGPASSWORD"] = str(password)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        url = url.difference_update_query(["password"])._replace(password=None)  # `set` would leave it in
        return cls(url.render_as_string(hide_password=False))

    @property
    def file(self) -> Path | None:
        """The file of a journal or an SQLite database; None for a server."""
        if "://" not in self.text:
            return Path(self.text)
        return Path(self.text.removeprefix("sqlite:///")) if self.text.startswith("sqlite:///") else None

    def open(self) -> BaseStorage:
        """Open the storage. Create it if it does not exist; cut off a journal's last line if that is incomplete.

        Raises:
            UsageError: the file or the server cannot be used.
        """
        try:
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            if "://" not in self.text:
                lock = _RepairingLock(Path(self.text))
                lock.acquire()
                lock.release()
                return JournalStorage(JournalFileBackend(self.text, lock_obj=lock))
            if self.file is None:
                require("psycopg", "a search in PostgreSQL")
            options = {"connect_args": {"timeout": 60}} if self.file else {"pool_pre_ping": True, **_idle_timeout()}
            with self.exclusive("tables"):  # two processes that create the tables at once would fail
                return get_storage(RDBStorage(self.text, engine_kwargs=options))
        except _opening_errors() as error:
            reason = without_passwords(str(getattr(error, "orig", None) or error)).splitlines()[0]
            raise UsageError(f"`{STORAGE_KEY}` must be a database that answers; found {self.text}: {reason}") from None
        except (ValueError, KeyError) as error:
            raise UsageError(f"`{STORAGE_KEY}` must be a search's file; found {self.text}: {error}") from None

    @contextmanager
    def exclusive(self, name: str) -> Iterator[Callable[[], object]]:
        """Hold the lock `name` of this storage; the operating system or the server frees it when its holder dies.

        Yields:
            A function to call before each write. It raises one of `storage_errors` if the server has disconnected this
            process (`IDLE_TIMEOUT`) and another process may hold the lock by now.
        """
        if self.file is not None:
            with FileLock(self.file.with_name(f".{self.file.name}.claims")):
                yield lambda: None
            return
        from sqlalchemy import NullPool, create_engine, text

        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        with create_engine(self.text, poolclass=NullPool, **_idle_timeout()).begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield lambda: connection.execute(text("SELECT 1"))


def _opening_errors() -> tuple[type[Exception], ...]:
    """The exceptions of a database that cannot be opened; late, as `storage_errors`."""
    from sqlalchemy.exc import DBAPIError, NoSuchModuleError

    return (DBAPIError, NoSuchModuleError, ImportError)


def _idle_timeout() -> dict[str, Any]:
    return {"connect_args": {"options": f"-c idle_in_transaction_session_timeout={IDLE_TIMEOUT}s"}}


def _invalid_address(typed: str) -> UsageError:
    rule = "must be the path of a journal file, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    return UsageError(f"`{STORAGE_KEY}` {rule}; found {without_passwords(typed)!r}.")


class _RepairingLock(BaseJournalFileLock):
    """The journal's write lock, which repairs the journal: its holder finds complete lines only.

    A process that dies while it appends leaves an incomplete line, to which the next process would append. No other
    process can be writing while the lock is held, so an incomplete line is then that of a dead process. Unlike Optuna's
    locks this one belongs to the operating system: a process that is killed does not leave it behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Another name than that of Optuna's own lock, whose mere existence means that a process writes.
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))

    def acquire(self) -> bool:
        self._lock.acquire()
        if self._path.exists():
            cut_torn_line(self._path)
        return True

    def release(self) -> None:
        self._lock.release()


def cut_torn_line(path: Path) -> int:
    """Cut off what follows the last newline of a journal.

    Returns:
        The number of bytes cut off.

    Raises:
        ValueError: the file is no journal; it is not changed.
    """
    with path.open("rb+") as file:
        if not BEGINNING.startswith(file.read(len(BEGINNING))):
            raise ValueError("it does not begin as a journal does")
        size = file.seek(0, os.SEEK_END)
        end = size
        while end:
            start = max(0, end - 4096)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
        return size - end
