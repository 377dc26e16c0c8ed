"""The lock of a run's folder: two processes that write the same run would overwrite each other's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from badger_sweeps.core.errors import UsageError

LOCK_FILE = ".lock"


class InUse(UsageError):
    """Another process holds the folder's lock."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock within this context; the system releases it when the process ends, even if it is killed.

    Raises:
        InUse: another process holds the lock.
    """
    try:
        with FileLock(folder / LOCK_FILE, blocking=False):
            yield
    except Timeout:
        raise InUse(f"`{folder}` must be free; found another process that trains there.") from None
