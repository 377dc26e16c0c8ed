"""A folder of five runs, of which two are finished."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests import warm
from tests.runs.commands import SMALL


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five runs: two finished, one unfinished, one damaged, one without files except its configuration."""
    folder = tmp_path_factory.mktemp("study")
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
    return folder


@pytest.fixture(scope="module")
def printed(study: Path) -> str:
    """The terminal's output of the command `report`."""
    command = [sys.executable, "-m", "badger_sweeps", "report", str(study)]
    shown = warm.run(command)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout
