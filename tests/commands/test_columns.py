"""The list of all columns that runs may have."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from badger_sweeps.commands.columns import rows
from badger_sweeps.runs.snapshot_measures import read_measured_columns
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import metric_columns
from tests import warm
from tests.choices import choices_of, small
from tests.runs.commands import run

CHOICES = [(group, choice) for group in ("architecture", "task", "rule") for choice in choices_of(group)]

ONE_STEP = Training(inner_steps=1)


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_the_metrics_of_every_choice_are_listed(group: str, choice: str) -> None:
    """Those per dimension once, with a placeholder."""
    learner = {"topology": small("topology", "single"), "task": small("task", "frequency"), "training": ONE_STEP}
    others = learner if "lstm" in choice else {}
    found = metric_columns(Experiment(device="cpu", **{group: small(group, choice)}, **others))
    names = {f"{column.group}/K" if column.per else name for name, column in found.items()}
    assert names <= {row.column for row in rows()}


def test_what_is_measured_after_training_is_listed(tmp_path: Path) -> None:
    """The rate of perturbed replicas, and the columns of plateaus, of which one is made up."""
    done = run(tmp_path, "training.iterations=40", "training.snapshot_every=20", "measures=none")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    plateau = {"start": 0, "end": 40, "level": 1.0, "slope": 0.0, "rung": 1.0, "loss_dim": [1.0] * 4, "grad_norm": 0.5}
    summary["seeds"][0]["plateaus"] = [plateau]
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    done = warm.run([sys.executable, "-m", "badger_sweeps", "measure", str(tmp_path), "--replicas", "40"])
    assert done.returncode == 0, done.stderr
    plateaus = pd.read_parquet(tmp_path / "plateaus.parquet")
    assert not plateaus.empty
    found = {*read_measured_columns(tmp_path), *plateaus} - {"seed"}
    assert {"lyapunov/replicas", "hurst/dfa", "level"} <= found <= {row.column for row in rows()}
