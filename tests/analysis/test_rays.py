"""The picture of ray interference, and runs of two dimensions on top of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis import rays
from badger_sweeps.reporting.reading.collection import gather
from tests import warm
from tests.runs.commands import run


def draw(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "badger_sweeps", "rays", *map(str, words)]
    return warm.run(command)


@pytest.mark.slow
def test_runs_lie_on_top_of_the_toy_system(tmp_path: Path) -> None:
    settings = ("training.iterations=80", "measures=none", "training.batch_size=64")
    assert run(tmp_path / "two", "task.dims=2", *settings).returncode == 0
    assert run(tmp_path / "three", "task.dims=3", *settings).returncode == 0
    found = rays.paths(gather(tmp_path).runs)
    assert [(path.seed, path.j.shape[1]) for path in found] == [(0, 2), (1, 2), (2, 2)]
    (two,) = [one for one in gather(tmp_path).runs if one.config["task.dims"] == 2]
    second_seed = two.history[two.history["seed"] == 1]
    block = two.summary.staircase.block
    np.testing.assert_allclose(found[1].j[0, 1], 1 - second_seed["loss_dim/1"].iloc[:block].mean(), rtol=1e-5)
    figure = rays.draw(rays.compute(), found)
    runs = [trace for trace in figure.data if trace.legendgroup == found[0].run]
    assert len(runs) == 2 * 3  # three seeds, in both panels
    toys = [trace for trace in figure.data if trace.legendgroup == "toy"]
    assert len(toys) == 2 * len(rays.STARTS) ** 2
    done = draw(tmp_path / "rays.html", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rays.html").stat().st_size > 1e6


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    for words, error in (
        ((tmp_path / "rays.html", tmp_path), "must have finished runs of task.dims=2 below it; found none."),
        ((tmp_path / "no" / "rays.html",), "`OUT` must be a file in a folder that exists"),
    ):
        done = draw(*words)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert error in done.stderr
    assert list(tmp_path.iterdir()) == []
