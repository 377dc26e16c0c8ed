"""Small Hydra applications, and a way to start their sweeps."""

from __future__ import annotations

import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import hydra_plugins.badger_sweeper._controller  # noqa: F401 - so that no fork has to
from tests.search.commands import in_child


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit status, and what it wrote."""

    status: int
    out: str
    error: str


def sweep(application: str, folder: Path, *words: str) -> Ended:
    """RecordedSearch an application as ``python APPLICATION.py -m WORDS`` does.

    Its process is forked from this one, which has imported what takes seconds to import.
    """
    script = Path(__file__).parent / f"{application}.py"
    logs = [folder.with_name(f"{folder.name}-{name}") for name in ("out", "error")]
    options = [word for word in words if word.startswith("--")]
    overrides = [word for word in words if word not in options]

    def start() -> None:
        for stream, log in enumerate(logs, start=1):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
        sys.path.insert(0, str(script.parent))
        sys.argv = [str(script), *options, "-m", f"hydra.sweep.dir={folder}", *overrides]
        try:
            runpy.run_path(str(script), run_name="__main__")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    status = in_child(start)
    out, error = (log.read_text() for log in logs)
    return Ended(status, out, error)
