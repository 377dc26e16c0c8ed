"""Files that are either whole or not there, whenever the process dies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a new version of `path`: readers see the old file or the whole new one, never a part.

    The name of the unfinished file starts with a dot, which Parquet readers pass over. If the body raises,
    the old version stays. One process at a time may write a path (`runs.lock` sees to it for runs).
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


def write_json(path: Path, content: Any) -> None:
    """Replace `path` by `content` as JSON; NaN and infinity are refused, as JSON has no word for them."""
    text = json.dumps(content, indent=2, allow_nan=False)
    with replacing(path) as file:
        file.write(text.encode() + b"\n")
