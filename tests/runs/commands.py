"""Starting the command line in a process, as a user would."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from tests import warm

SMALL = (
    "seeds=3",
    "topology.experts=5",
    "topology.links=2",
    "architecture.hidden=8",
    "architecture.message=4",
    "training.inner_steps=4",
    "training.batch_size=16",
    "optimizer.lr=0.01",
)


def command(folder: Path, *overrides: str, tracking: str = "disabled") -> list[str]:
    return [
        sys.executable,
        "-m",
        "badger_sweeps",
        f"hydra.run.dir={folder}",
        f"tracking={tracking}",
        *SMALL,
        *overrides,
    ]


def run(folder: Path, *overrides: str, tracking: str = "disabled") -> subprocess.CompletedProcess[str]:
    return warm.run(command(folder, *overrides, tracking=tracking))


def start(folder: Path, *overrides: str, tracking: str = "disabled") -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(folder, *overrides, tracking=tracking),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_iteration(folder: Path, iteration: int, process: subprocess.Popen[str]) -> pd.DataFrame:
    """Read the growing history until it has this iteration, and return it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if list(folder.glob("history.parquet/part-*")):
            history = pd.read_parquet(folder / "history.parquet")
            if len(history) and history["iteration"].max() >= iteration:
                return history
        time.sleep(0.05)
    raise TimeoutError(f"the run did not reach iteration {iteration}")


def parts(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of a history."""
    return {path.name: path.read_bytes() for path in sorted((folder / "history.parquet").iterdir())}
