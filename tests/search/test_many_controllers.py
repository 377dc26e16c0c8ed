"""Two machines on one search: two folders, one PostgreSQL."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.runs.commands import parts
from tests.search.commands import Controller, Records, command, iterations_done, parameters, sessions, sweep, wait_until

NAME = "shared"
ELSEWHERE = """
import platform

platform.node = lambda: "elsewhere"
"""
"""What makes Python think that it is on another machine: it reads `sitecustomize.py` before anything else."""


def machine(folder: Path, address: str, *overrides: str, iterations: int = 400, elsewhere: bool = False) -> Controller:
    folder.parent.mkdir(parents=True, exist_ok=True)
    words = command(
        folder,
        f"hydra.sweeper.storage={address}",
        f"hydra.sweeper.study_name={NAME}",
        f"training.iterations={iterations}",
        "training.checkpoint_every=50",
        *overrides,
    )
    more = {}
    if elsewhere:
        site = folder.parent / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(ELSEWHERE)
        more["PYTHONPATH"] = str(site)
    return Controller(words, folder.parent / f"{folder.name}.log", **more)


def numbers(folder: Path) -> set[int]:
    """The trials that finished in a folder."""
    return {int(path.parent.name) for path in folder.glob("*/summary.json")}


def check(records: Records, trials: int, *folders: Path) -> None:
    """All accounted for, each finished in one folder, and with the parameters and bits that it would have had alone."""
    stored = records.trials()
    assert [trial.number for trial in stored] == list(range(trials))
    assert records.statuses() == ["completed"] * trials
    assert len({tuple(sorted(trial.params.items())) for trial in stored}) == trials
    finished = [number for folder in folders for number in numbers(folder)]
    assert sorted(finished) == list(range(trials))
    alone = folders[0].parent / "alone" / NAME
    iterations = max(iterations_done(folders[0] / str(number)) for number in numbers(folders[0]))
    ended = sweep(
        alone, f"hydra.sweeper.n_trials={trials}", f"training.iterations={iterations}", "training.checkpoint_every=50"
    )
    assert ended.returncode == 0, ended.stderr
    assert parameters(stored) == parameters(Records.of(alone).trials())
    for folder in folders:
        for number in numbers(folder):
            assert parts(folder / str(number)) == parts(alone / str(number)), (folder, number)


@pytest.mark.slow
def test_two_machines_share_the_work_of_one_total(tmp_path: Path, postgresql: str) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    machines = [machine(folder, postgresql, "hydra.sweeper.n_trials=12") for folder in folders]
    try:
        for controller in machines:
            assert controller.wait() == 0, controller.said
    finally:
        for controller in machines:
            controller.kill()
    check(Records.of(tmp_path, postgresql, NAME), 12, *folders)
    assert all(numbers(folder) for folder in folders)  # neither waited for the other


@pytest.mark.slow
def test_when_one_of_two_machines_dies_the_other_finishes_all(tmp_path: Path, postgresql: str) -> None:
    records = Records.of(tmp_path, postgresql, NAME)
    first = machine(tmp_path / "a", postgresql, "hydra.sweeper.n_trials=8", iterations=2000)
    second = None
    try:
        wait_until(lambda: records.running(first.pid) == 1, first)
        second = machine(tmp_path / "b", postgresql, "hydra.sweeper.n_trials=8", iterations=2000)
        wait_until(lambda: records.running(second.pid) is not None, second)
        wait_until(lambda: records.running(first.pid) is not None, first)
        left = records.running(first.pid)
        assert left is not None
        first.kill()
        assert second.wait() == 0, second.said
    finally:
        for controller in (first, second):
            if controller is not None:
                controller.kill()
    assert records.deaths()[left] == 1
    assert left in numbers(tmp_path / "b")
    check(records, 8, tmp_path / "b", tmp_path / "a")


@pytest.mark.slow
def test_a_machine_that_falls_silent_loses_its_trial_and_gives_way_when_it_wakes(
    tmp_path: Path, postgresql: str
) -> None:
    records = Records.of(tmp_path, postgresql, NAME)
    settings = ("hydra.sweeper.n_trials=4", "hydra.sweeper.heartbeat=0.5", "hydra.sweeper.patience=4")
    silent = machine(tmp_path / "a", postgresql, *settings, iterations=2000, elsewhere=True)
    awake = None
    try:
        wait_until(lambda: iterations_done(tmp_path / "a" / "0") > 0, silent)
        number = records.running(silent.pid)
        assert number is not None
        silent.signal(signal.SIGSTOP, group=True)
        awake = machine(tmp_path / "b", postgresql, *settings, iterations=2000)
        wait_until(lambda: records.running(awake.pid) == number, awake)  # after its patience, and not before all else
        silent.signal(signal.SIGCONT, group=True)
        assert awake.wait() == 0, awake.said
        assert silent.wait() == 0, silent.said
    finally:
        for controller in (silent, awake):
            if controller is not None:
                controller.kill()
    assert sessions(tmp_path / "a" / str(number))[0]["host"] == "elsewhere"
    assert records.deaths()[number] == 1
    assert number in numbers(tmp_path / "b")
    assert number not in numbers(tmp_path / "a")  # it noticed, and let go
    check(records, 4, tmp_path / "b", tmp_path / "a")
