"""A finished run is reused by another study if and only if its configuration and code are the same."""

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
from badger_sweeps.runs.reuse import copy_run, find_reusable_run
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


def test_a_copy_has_the_computed_files_and_its_own_id_and_group(copy: Path) -> None:
    first = copy / "one" / "arm"
    again = replace(planned(copy / "two" / "arm", study="two", tracking={"mode": "online"}), group="two/arm")
    found = find_reusable_run(again, copy)
    assert found == first
    copy_run(found, again)
    summary = run(again, silent())
    assert parts(again.folder) == parts(first)
    assert summary.outcomes == read_summary(first).outcomes
    assert [path.name for path in sorted((again.folder / "snapshots").iterdir())] == [
        path.name for path in sorted((first / "snapshots").iterdir())
    ]
    assert not (again.folder / "measures.parquet").exists()
    copied, original = (json.loads((path / "provenance.json").read_text()) for path in (again.folder, first))
    assert copied["group"] == "two/arm"
    assert copied["run_id"] != original["run_id"]
    assert copied["taken_over_from"] == str(first)
    assert len(copied["sessions"]) == 1  # nothing was trained


@pytest.mark.parametrize(
    "changes", [{"seeds": [5, 4]}, {"loss": {"_target_": "l1"}}, {"training": {"iterations": 61}}, {"device": "cuda"}]
)
def test_a_run_with_another_configuration_is_not_reused(copy: Path, changes: dict[str, Any]) -> None:
    assert find_reusable_run(planned(copy / "two" / "arm", **changes), copy) is None


def test_keys_without_effect_on_the_history_do_not_prevent_reuse(copy: Path) -> None:
    same = {"study": None, "scale": "quick", "objective": "final_loss", "tracking": {}, "reuse": True}
    training = {"iterations": 60, "checkpoint_every": 7}
    assert find_reusable_run(planned(copy / "two" / "arm", **same, training=training), copy) is not None


def test_a_run_on_other_graphs_is_not_reused_even_with_the_same_configuration(copy: Path) -> None:
    wanted = planned(copy / "two" / "arm")
    other = replace(wanted, experiment=replace(wanted.experiment, topology=RandomLinks(experts=4, links=1)))
    assert find_reusable_run(other, copy) is None
    (copy / "one" / "arm" / "checkpoint.pt").unlink()
    assert find_reusable_run(wanted, copy) is None


def test_all_code_that_computes_is_known() -> None:
    """Each file and folder at the top of the package either decides numbers, or is in the list here."""
    without_numbers = {
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
    assert set(COMPUTING) == there - without_numbers


def test_a_class_from_outside_the_package_is_part_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edited rule with the same name changes the hash; the package's own classes do not add to it."""
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


def test_a_run_with_other_code_is_not_reused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "computing_code", lambda: "another version")
    assert find_reusable_run(planned(copy / "two" / "arm"), copy) is None


def test_unfinished_and_damaged_runs_and_started_folders_are_not_reused(copy: Path) -> None:
    wanted = planned(copy / "two" / "arm")
    (wanted.folder / "checkpoint.pt").touch()
    assert find_reusable_run(wanted, copy) is None  # the plan's own run is continued
    (wanted.folder / "checkpoint.pt").unlink()
    first = copy / "one" / "arm"
    whole = (first / "provenance.json").read_text()
    for damaged in ("{", "[]", '{"sessions": 3}'):
        (first / "provenance.json").write_text(damaged)
        assert find_reusable_run(wanted, copy) is None
    (first / "provenance.json").write_text(whole)
    assert find_reusable_run(wanted, copy) is not None
    (first / "summary.json").unlink()
    assert find_reusable_run(wanted, copy) is None


def test_an_interrupted_copy_counts_as_not_started(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = planned(copy / "two" / "arm")
    found = find_reusable_run(wanted, copy)
    assert found is not None
    real = shutil.copy2

    def dies(source: Any, target: Any, **options: Any) -> Any:
        if Path(source).name == "checkpoint.pt":
            raise KeyboardInterrupt
        return real(source, target, **options)

    monkeypatch.setattr(shutil, "copy2", dies)
    with pytest.raises(KeyboardInterrupt):
        copy_run(found, wanted)
    monkeypatch.undo()
    assert find_reusable_run(wanted, copy) == found
    copy_run(found, wanted)
    run(wanted, silent())
    assert len(pd.read_parquet(wanted.folder / "history.parquet")) == 120


def wanted_again(run_folder: Path, *below: str) -> Plan:
    """The plan of another study's run with the configuration of an existing run."""
    return replace(plan_of(run_folder), folder=run_folder.parents[1].joinpath(*below))


@pytest.mark.parametrize("later", ["measures.fixed_loss.every=5", "engine=reference", "training.snapshot_every=10"])
def test_a_run_continued_with_other_settings_is_not_reused(tmp_path: Path, later: str) -> None:
    """Its first half has no values of the measures that only its second half has."""
    first = tmp_path / "one" / "arm"
    settings = ["measures=none", "training.iterations=20"]
    assert command_line(first, *settings).returncode == 0
    assert find_reusable_run(wanted_again(first, "two", "arm"), tmp_path) == first
    done = command_line(first, *settings, "training.iterations=40", later)
    assert done.returncode == 0, done.stderr
    wanted = wanted_again(first, "two", "arm")
    assert find_reusable_run(wanted, tmp_path) is None
    # Nor is it reused after a third session with the first settings.
    done = command_line(first, *settings, "training.iterations=60")
    assert done.returncode == 0, done.stderr
    assert find_reusable_run(wanted_again(first, "two", "arm"), tmp_path) is None
    assert provenance.computing_version(first) == provenance.code_version(first)


def test_a_run_continued_with_the_same_settings_is_reused(tmp_path: Path) -> None:
    """Keys without effect on the history may change, and so may the budget: the run has the history of its last one."""
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
    found = find_reusable_run(wanted, tmp_path)
    assert found == first
    wanted.folder.mkdir(parents=True)
    copy_run(found, wanted)
    assert command_line(whole, "measures=none", *measured, budget).returncode == 0
    pd.testing.assert_frame_equal(read_history(wanted.folder), read_history(whole), check_exact=True)


def test_records_of_earlier_versions_are_only_the_same_under_the_same_budget(tmp_path: Path) -> None:
    def continued(iterations: int) -> Any:
        Provenance(tmp_path, 30, "engine", "group", {**CONFIG, "training": {"iterations": iterations}})
        return json.loads((tmp_path / "provenance.json").read_text())[COMPUTED_FROM]

    Provenance(tmp_path, 0, "engine", "group", CONFIG)
    content = json.loads((tmp_path / "provenance.json").read_text())
    del content[WHATEVER_BUDGET]
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    assert continued(60) == computed_from(CONFIG)
    assert continued(90) == computed_from({**CONFIG, "training": {"iterations": 90}})  # recorded by the call above
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    assert continued(90) is None
    assert continued(90) is None  # and stays None


def test_a_run_continued_with_other_code_has_no_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
