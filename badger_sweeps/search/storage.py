"""Where a study is kept: a journal file, SQLite or PostgreSQL, each with a lock that dies with its holder."""

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
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError

JOURNAL = "study.journal"
BEGINNING = b'{"op_code":'
"""How Optuna's journals begin."""
KEY = "hydra.sweeper.storage"
FROZEN = 60
"""Seconds in the middle of a claim after which a process that does nothing, stopped or on a machine that sleeps, is cut
off from a PostgreSQL server, so that it does not hold up the others for ever."""
NO_ANSWER = (SQLAlchemyError, StorageInternalError)
"""What is raised when a database does not answer."""


class StorageLost(Exception):
    """The study cannot be read or written in the middle of a trial, which has not failed for that."""


@dataclass(frozen=True)
class Place:
    """A storage that can be opened, by this process or by another one.

    Attributes:
        address: the absolute path of a journal file, or the URL of a database, without its password.
    """

    address: str

    @classmethod
    def of(cls, address: str | None, folder: Path) -> Place:
        """The place that a user's address names; null is a journal file in the study's folder.

        A password in the address of a PostgreSQL server moves to the environment variable PGPASSWORD, which the
        server's client reads and the processes started from here inherit, so that no file and no message has it.

        Raises:
            UsageError: it is neither the path of a journal file nor the URL of an SQLite or PostgreSQL database.
        """
        if not address:
            return cls(str((folder / JOURNAL).absolute()))
        if "://" not in address:
            return cls(str(Path(address).expanduser().absolute()))
        try:
            url = make_url(address)
        except ArgumentError:
            raise _refused(address) from None
        kind = url.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise _refused(address)
        if kind == "sqlite":
            if not url.database or url.database == ":memory:":
                raise _refused(address)
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
        """The file that is the storage; None for a server."""
        if "://" not in self.address:
            return Path(self.address)
        return Path(self.address.removeprefix("sqlite:///")) if self.address.startswith("sqlite:///") else None

    def open(self) -> BaseStorage:
        """Connect, making what is not there yet, and cutting off a journal's last line if it is torn.

        Raises:
            UsageError: the file or the server cannot be used.
        """
        try:
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            if "://" not in self.address:
                lock = _RepairingLock(Path(self.address))
                lock.acquire()
                lock.release()
                return JournalStorage(JournalFileBackend(self.address, lock_obj=lock))
            options = {"connect_args": {"timeout": 60}} if self.file else {"pool_pre_ping": True, **_cut_off()}
            with self.exclusive("tables"):  # two that make the tables at once would trip over each other
                return get_storage(RDBStorage(self.address, engine_kwargs=options))
        except (DBAPIError, NoSuchModuleError, ImportError) as error:
            reason = without_passwords(str(getattr(error, "orig", None) or error)).splitlines()[0]
            raise UsageError(f"`{KEY}` must be a database that answers; found {self.address}: {reason}") from None
        except (ValueError, KeyError) as error:
            raise UsageError(f"`{KEY}` must be a study's file; found {self.address}: {error}") from None

    @contextmanager
    def exclusive(self, name: str) -> Iterator[Callable[[], object]]:
        """Hold the study `name` of this storage alone; the system frees it when the holder dies, however it does.

        Gives what is to be called before each word that is written: it raises one of `NO_ANSWER` if this process was
        frozen and cut off, and others may hold the study by now.
        """
        if self.file is not None:
            with FileLock(self.file.with_name(f".{self.file.name}.claims")):
                yield lambda: None
            return
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
        with create_engine(self.address, poolclass=NullPool, **_cut_off()).begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield lambda: connection.execute(text("SELECT 1"))


def _cut_off() -> dict[str, Any]:
    return {"connect_args": {"options": f"-c idle_in_transaction_session_timeout={FROZEN}s"}}


def _refused(address: str) -> UsageError:
    rule = "must be the path of a journal file, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    return UsageError(f"`{KEY}` {rule}; found {without_passwords(address)!r}.")


class _RepairingLock(BaseJournalFileLock):
    """The journal's lock for writing. Whoever gets it finds whole lines.

    A process that dies while it appends leaves half a line, onto which the next one would write. No other can be
    writing while the lock is held, so half a line is then nobody's. Unlike Optuna's locks this one is the system's:
    it cannot be left behind by a process that was killed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Not the name of Optuna's own lock, whose presence means that somebody writes.
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))

    def acquire(self) -> bool:
        self._lock.acquire()
        if self._path.exists():
            cut_torn_line(self._path)
        return True

    def release(self) -> None:
        self._lock.release()


def cut_torn_line(path: Path) -> int:
    """Cut off what follows the last newline of a journal; gives the number of bytes cut.

    Raises:
        ValueError: the file is no journal; it stays as it is.
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
