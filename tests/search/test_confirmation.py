"""Confirmation: the first trial and the best one, once more on seeds that the search has not seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from badger_sweeps.search.storage import StorageAddress
from tests import warm
from tests.runs.commands import SMALL


def search(folder: Path, total: int, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "badger_sweeps", "-m", "hydra/sweeper=badger", f"hydra.sweep.dir={folder}"]
    space = ["hydra/sweeper/sampler=grid", "optimizer.lr=choice(0.0001,0.002,0.02)", "hydra/sweeper/pruner=none"]
    rest = ["hydra.sweeper.confirm=['seeds=[7,8,9]']", "tracking=disabled", "measures=none", "training.iterations=200"]
    small = [own for own in SMALL if not own.startswith("optimizer.lr")]
    arguments = [*command, *space, *rest, *small, f"hydra.sweeper.n_trials={total}", *overrides]
    return warm.run(arguments)


def confirmed(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = StorageAddress.parse(None, folder).open()
    return optuna.load_study(study_name=f"{folder.name} confirmation", storage=storage).trials


@pytest.mark.slow
def test_a_new_best_is_confirmed_after_a_larger_total(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for total in (2, 2, 3):
        done = search(folder, total)
        assert done.returncode == 0, done.stderr
    main = optuna.load_study(study_name="study", storage=StorageAddress.parse(None, folder).open())
    values = [trial.value for trial in main.trials]
    # The learning rates are tried in order, and the largest one is best by far: it escapes, the smallest never does.
    assert values[2] < values[1] <= values[0]
    rates = [trial.params["optimizer.lr"] for trial in confirmed(folder)]
    assert rates == ([0.0001, 0.002, 0.02] if values[1] < values[0] else [0.0001, 0.02])
    for number, rate in enumerate(rates):
        summary = json.loads((folder / "confirmation" / str(number) / "summary.json").read_text())
        assert [seed["seed"] for seed in summary["seeds"]] == [7, 8, 9]
        assert f"optimizer.lr={rate}" in (folder / "confirmation" / str(number) / ".hydra/overrides.yaml").read_text()


@pytest.mark.slow
def test_other_seeds_for_a_confirmation_are_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert search(folder, 1).returncode == 0
    refused = search(folder, 1, "hydra.sweeper.confirm=['seeds=[70,80,90]']")
    assert refused.returncode == 2
    assert refused.stderr.startswith("badger-sweeps: `hydra.sweeper.confirm` must be ")
    assert refused.stderr.count("\n") == 1
