"""One process a folder: two that write the same run would undo each other's work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from badger_sweeps.foundations.errors import UsageError

NAME = ".lock"


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder within this context; the system lets go of it when the process dies, however it does.

    Raises:
        UsageError: another process holds it.
    """
    try:
        with FileLock(folder / NAME, blocking=False):
            yield
    except Timeout:
        raise UsageError(f"`{folder}` must be free; found another process that trains there.") from None
