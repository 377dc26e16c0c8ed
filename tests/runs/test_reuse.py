"""A finished run is taken over by another study if it is the same, and only then."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import badger_sweeps
from badger_sweeps.configuration.builder import plan_of
from badger_sweeps.runs import provenance
from badger_sweeps.runs.code import COMPUTING
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.provenance import COMPUTED_FROM, WHATEVER_BUDGET, Provenance, computed_from
from badger_sweeps.runs.reuse import adopt, finished_alike
from badger_sweeps.runs.run import Plan, run
from badger_sweeps.runs.summary import read_summary
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Training
from tests.runs.commands import parts, start, wait_for_iteration
from tests.runs.commands import run as command_line
from tests.runs.test_run import plan, silent

CONFIG: dict[str, Any] = {"seeds": [5, 3], "training": {"iterations": 60, "checkpoint_every": 50}, "study": "one"}
SHORT = Training(iterations=60, batch_size=32, inner_steps=4, snapshot_every=30)


def planned(folder: Path, **changes: Any) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    return replace(plan(folder, training=SHORT), config={**CONFIG, **changes})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run(planned(folder / "one" / "arm"), silent())
    (folder / "one" / "arm" / "measures.parquet").write_bytes(b"measured with settings and code of then")
    return folder


@pytest.fixture
def copy(runs: Path, tmp_path: Path) -> Path:
    shutil.copytree(runs, tmp_path / "runs")
    return tmp_path / "runs"


def test_a_copy_has_all_that_was_computed_and_a_name_of_its_own(copy: Path) -> None:
    first = copy / "one" / "arm"
    again = replace(planned(copy / "two" / "arm", study="two", tracking={"mode": "online"}), group="two/arm")
    found = finished_alike(again, copy)
    assert found == first
    adopt(found, again)
    summary = run(again, silent())
    assert parts(again.folder) == parts(first)
    assert summary.outcomes == read_summary(first).outcomes
    assert [path.name for path in sorted((again.folder / "snapshots").iterdir())] == [
        path.name for path in sorted((first / "snapshots").iterdir())
    ]
    assert not (again.folder / "measures.parquet").exists()
    told, before = (json.loads((own / "provenance.json").read_text()) for own in (again.folder, first))
    assert told["group"] == "two/arm"
    assert told["run_id"] != before["run_id"]
    assert told["taken_over_from"] == str(first)
    assert len(told["sessions"]) == 1  # nothing was trained


@pytest.mark.parametrize(
    "changes", [{"seeds": [5, 4]}, {"loss": {"_target_": "l1"}}, {"training": {"iterations": 61}}, {"device": "cuda"}]
)
def test_another_configuration_is_not_taken(copy: Path, changes: dict[str, Any]) -> None:
    assert finished_alike(planned(copy / "two" / "arm", **changes), copy) is None


def test_keys_without_a_say_do_not_keep_runs_apart(copy: Path) -> None:
    same = {"study": None, "scale": "quick", "objective": "final_loss", "tracking": {}, "reuse": True}
    training = {"iterations": 60, "checkpoint_every": 7}
    assert finished_alike(planned(copy / "two" / "arm", **same, training=training), copy) is not None


def test_a_run_on_other_graphs_is_not_taken_whatever_its_configuration_says(copy: Path) -> None:
    wanted = planned(copy / "two" / "arm")
    other = replace(wanted, experiment=replace(wanted.experiment, topology=RandomLinks(experts=4, links=1)))
    assert finished_alike(other, copy) is None
    (copy / "one" / "arm" / "checkpoint.pt").unlink()
    assert finished_alike(wanted, copy) is None


def test_all_code_that_computes_is_known() -> None:
    """Whatever lies at the top of the package decides numbers, or is named here as what only hands them on."""
    handing_on = {
        *(
            "__init__.py",
            "__main__.py",
            "commands",
            "configuration",
            "loading.py",
            "reporting",
            "runs",
            "search",
            "tracking",
            "conf",
        ),
    }
    there = {path.name for path in Path(badger_sweeps.__file__).parent.iterdir() if path.name != "__pycache__"}
    assert set(COMPUTING) == there - handing_on


def test_a_class_from_elsewhere_is_code_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edited rule under the same name is another code; a configuration of our own classes alone knows no other."""
    (tmp_path / "from_elsewhere.py").write_text("class Rule: ...")
    monkeypatch.syspath_prepend(tmp_path)
    config = {**CONFIG, "rule": {"_target_": "from_elsewhere.Rule"}}
    before = computed_from(config)["code"]
    assert before != computed_from(CONFIG)["code"]
    assert before == computed_from(config)["code"]
    (tmp_path / "from_elsewhere.py").write_text("class Rule: step = 2")
    assert computed_from(config)["code"] != before
    ours = {**CONFIG, "rule": {"_target_": "badger_sweeps.rules.gradient_descent.GradientDescent"}}
    assert computed_from(ours)["code"] == computed_from(CONFIG)["code"]


def test_other_code_is_not_taken(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "computing_code", lambda: "another version")
    assert finished_alike(planned(copy / "two" / "arm"), copy) is None


def test_what_is_not_finished_is_damaged_or_begun_is_left_alone(copy: Path) -> None:
    wanted = planned(copy / "two" / "arm")
    (wanted.folder / "checkpoint.pt").touch()
    assert finished_alike(wanted, copy) is None  # it goes on where it is
    (wanted.folder / "checkpoint.pt").unlink()
    first = copy / "one" / "arm"
    whole = (first / "provenance.json").read_text()
    (first / "provenance.json").write_text("{")
    assert finished_alike(wanted, copy) is None
    (first / "provenance.json").write_text(whole)
    assert finished_alike(wanted, copy) is not None
    (first / "summary.json").unlink()
    assert finished_alike(wanted, copy) is None


def test_a_copy_that_was_cut_off_counts_as_not_begun(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = planned(copy / "two" / "arm")
    found = finished_alike(wanted, copy)
    assert found is not None
    real = shutil.copy2

    def dies(source: Any, target: Any, **options: Any) -> Any:
        if Path(source).name == "checkpoint.pt":
            raise KeyboardInterrupt
        return real(source, target, **options)

    monkeypatch.setattr(shutil, "copy2", dies)
    with pytest.raises(KeyboardInterrupt):
        adopt(found, wanted)
    monkeypatch.undo()
    assert finished_alike(wanted, copy) == found
    adopt(found, wanted)
    run(wanted, silent())
    assert len(pd.read_parquet(wanted.folder / "history.parquet")) == 120


def wanted_again(run_folder: Path, *below: str) -> Plan:
    """The run of the configuration that lies in a folder, wanted by another study."""
    return replace(plan_of(run_folder), folder=run_folder.parents[1].joinpath(*below))


@pytest.mark.parametrize("later", ["measures.fixed_loss.every=5", "engine=reference", "training.snapshot_every=10"])
def test_a_run_that_goes_on_with_other_settings_is_not_taken(tmp_path: Path, later: str) -> None:
    """It has not had them all along: of the first half there is no row of what only the second one measured."""
    first = tmp_path / "one" / "arm"
    settings = ["measures=none", "training.iterations=20"]
    assert command_line(first, *settings).returncode == 0
    assert finished_alike(wanted_again(first, "two", "arm"), tmp_path) == first
    done = command_line(first, *settings, "training.iterations=40", later)
    assert done.returncode == 0, done.stderr
    wanted = wanted_again(first, "two", "arm")
    assert finished_alike(wanted, tmp_path) is None
    # Nor does going back to the first settings make it a run of these alone.
    done = command_line(first, *settings, "training.iterations=60")
    assert done.returncode == 0, done.stderr
    assert finished_alike(wanted_again(first, "two", "arm"), tmp_path) is None
    assert provenance.computing_version(first) == provenance.code_version(first)


def test_a_run_that_was_stopped_and_continued_alike_is_taken(tmp_path: Path) -> None:
    """What has no say may change, and so may the budget: it has the history of its last one."""
    first, whole = tmp_path / "one" / "arm", tmp_path / "whole"
    measured = ("measures.fixed_loss.every=5", "training.snapshot_every=20")
    process = start(first, "measures=none", *measured, "training.iterations=100000")
    wait_for_iteration(first, 0, process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    budget = f"training.iterations={1 + int(pd.read_parquet(first / 'history.parquet')['iteration'].max()) + 20}"
    done = command_line(
        first, "measures=none", *measured, budget, "training.checkpoint_every=7", "objective=final_loss"
    )
    assert done.returncode == 0, done.stderr
    wanted = wanted_again(first, "two", "arm")
    found = finished_alike(wanted, tmp_path)
    assert found == first
    wanted.folder.mkdir(parents=True)
    adopt(found, wanted)
    assert command_line(whole, "measures=none", *measured, budget).returncode == 0
    pd.testing.assert_frame_equal(read_history(wanted.folder), read_history(whole), check_exact=True)


def test_of_older_records_only_the_same_budget_is_known_to_be_alike(tmp_path: Path) -> None:
    def goes_on(iterations: int) -> Any:
        Provenance(tmp_path, 30, "engine", "group", {**CONFIG, "training": {"iterations": iterations}})
        return json.loads((tmp_path / "provenance.json").read_text())[COMPUTED_FROM]

    Provenance(tmp_path, 0, "engine", "group", CONFIG)
    content = json.loads((tmp_path / "provenance.json").read_text())
    del content[WHATEVER_BUDGET]
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    assert goes_on(60) == computed_from(CONFIG)
    assert goes_on(90) == computed_from({**CONFIG, "training": {"iterations": 90}})  # it is noted by now
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    assert goes_on(90) is None
    assert goes_on(90) is None  # and stays so


def test_a_run_that_goes_on_with_other_code_follows_from_nothing_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Provenance(tmp_path, 0, "engine", "group", CONFIG)
    longer = {**CONFIG, "training": {"iterations": 90}}
    Provenance(tmp_path, 60, "engine", "group", longer)
    assert json.loads((tmp_path / "provenance.json").read_text())[COMPUTED_FROM] == computed_from(longer)
    assert provenance.computing_version(tmp_path) == computed_from(longer)["code"][:12]
    monkeypatch.setattr(provenance, "computing_code", lambda: "another version")
    Provenance(tmp_path, 90, "engine", "group", longer)
    assert json.loads((tmp_path / "provenance.json").read_text())[COMPUTED_FROM] is None
    assert provenance.computing_version(tmp_path) == provenance.code_version(tmp_path)
    Provenance(tmp_path, 0, "engine", "group", longer)  # from the start
    assert json.loads((tmp_path / "provenance.json").read_text())[COMPUTED_FROM] == computed_from(longer)
