"""Files that are complete or absent, even if the process is killed while it writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from badger_sweeps.core.errors import UsageError


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a new version of `path`. Readers see the old file or the complete new one.

    The name of the unfinished file starts with a dot, so that Parquet readers ignore it. If the body raises, the old
    version stays. Only one process at a time may write a path (for a run, `runs.lock` ensures it).
    """
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file in errors of reading it.

    Raises:
        UsageError: the body raised an error because the file is damaged, or is another program's.
        FileNotFoundError: there is no file.
    """
    try:
        yield
    except (UsageError, FileNotFoundError):
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise UsageError(f"`{path}` must be a whole file of this package; found a damaged one ({reason}).") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UsageError: the file is damaged, or holds no object.
        FileNotFoundError: there is no file.
    """
    with reading(path):
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise TypeError(f"not an object but {json.dumps(content)[:20]}")
        return content


def write_json(path: Path, content: Any) -> None:
    """Replace `path` by `content` as JSON; NaN and infinity, which JSON does not have, are refused.

    Raises:
        ValueError: `content` contains NaN or infinity.
    """
    text = json.dumps(content, indent=2, allow_nan=False)
    with replacing(path) as file:
        file.write(text.encode() + b"\n")
