"""Files that are complete or absent, even if the process is killed while it writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


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


def write_json(path: Path, content: Any) -> None:
    """Replace `path` by `content` as JSON; NaN and infinity, which JSON does not have, are refused.

    Raises:
        ValueError: `content` contains NaN or infinity.
    """
    text = json.dumps(content, indent=2, allow_nan=False)
    with replacing(path) as file:
        file.write(text.encode() + b"\n")
