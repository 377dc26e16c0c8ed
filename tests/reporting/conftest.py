"""A folder of five runs, of which two are finished."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests import warm
from tests.runs.commands import SMALL
from tests.shared import Once


def train_study(folder: Path) -> None:
    command = [sys.executable, "-m", "badger_sweeps", "-m", "architecture=gru,exponential", f"hydra.sweep.dir={folder}"]
    settings = [*SMALL, "training.iterations=240", "training.batch_size=64", "tracking=disabled", "seeds=8"]
    done = warm.run([*command, *settings])
    assert done.returncode == 0, done.stderr
    first = next(path for path in folder.iterdir() if path.name.startswith("gru"))
    unfinished, damaged, empty = folder / "unfinished", folder / "<b>damaged</b>", folder / "empty"
    for copy in (unfinished, damaged):
        shutil.copytree(first, copy)
    (unfinished / "summary.json").unlink()
    (damaged / "summary.json").write_text("{")
    shutil.copytree(first / ".hydra", empty / ".hydra")


@pytest.fixture(scope="session")
def study(once: Once) -> Path:
    """Five runs: two finished, one unfinished, one damaged, one without files except its configuration."""
    return once("study", train_study)


@pytest.fixture(scope="session")
def printed(study: Path, once: Once) -> str:
    """The terminal's output of the command `report`, which has written the page of the study."""

    def report(folder: Path) -> None:
        shown = warm.run([sys.executable, "-m", "badger_sweeps", "report", str(study)])
        assert shown.returncode == 0, shown.stderr
        (folder / "printed").write_text(shown.stdout)

    return (once("report", report) / "printed").read_text()
