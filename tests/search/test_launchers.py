"""Real sweeps through real launchers, which must not differ in a single bit from one without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.commands import parts
from tests.search.commands import Records, parameters, sweep

TRIALS = 5
SEARCH = (f"hydra.sweeper.n_trials={TRIALS}", "training.iterations=200", "training.checkpoint_every=50")


@pytest.fixture(scope="module")
def basic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("basic") / "study"
    ended = sweep(folder, *SEARCH)
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "ray", "submitit_local"])
def test_a_launcher_changes_nothing_but_who_works(launcher: str, basic: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    ended = sweep(folder, *SEARCH, f"hydra/launcher={launcher}", "hydra.sweeper.n_jobs=2")
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    records, alone = Records.of(folder), Records.of(basic)
    assert records.statuses() == ["completed"] * TRIALS
    assert parameters(records.trials()) == parameters(alone.trials())
    assert [trial.values for trial in records.trials()] == [trial.values for trial in alone.trials()]
    assert sorted(path.name for path in folder.glob("[0-9]*")) == [str(number) for number in range(TRIALS)]
    for number in range(TRIALS):
        assert parts(folder / str(number)) == parts(basic / str(number))
        assert (folder / str(number) / ".hydra" / "config.yaml").exists()
    by = {trial.system_attrs["badger:lease"]["owner"]["pid"] for trial in records.trials()}
    assert len(by) <= 2
    assert not (folder / ".workers").exists()
    again = sweep(folder, *SEARCH, f"hydra/launcher={launcher}", "hydra.sweeper.n_jobs=2")
    assert again.returncode == 0, again.stderr
    assert len(Records.of(folder).trials()) == TRIALS
