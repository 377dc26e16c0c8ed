"""One process a folder: two that write the same run would undo each other's work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from badger_sweeps.core.errors import UsageError

NAME = ".lock"


class InUse(UsageError):
    """Another process trains in the folder."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder within this context; the system lets go of it when the process dies, however it does.

    Raises:
        InUse: another process holds it.
    """
    try:
        with FileLock(folder / NAME, blocking=False):
            yield
    except Timeout:
        raise InUse(f"`{folder}` must be free; found another process that trains there.") from None
