"""Sweeps that are stopped, by real signals to real processes, and trials that go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from badger_sweeps.runs.lock import LOCK_FILE
from badger_sweeps.search.leases import Lease
from tests.runs.commands import parts
from tests.search.commands import (
    Controller,
    Records,
    application,
    command,
    goes_on_with,
    iterations_done,
    parameters,
    run,
    sessions,
    sweep,
    wait_until,
)

TRIALS, ITERATIONS = 3, 1500
SEARCH = (
    f"hydra.sweeper.n_trials={TRIALS}",
    f"training.iterations={ITERATIONS}",
    "training.checkpoint_every=100",
    "hydra.sweeper.heartbeat=0.5",
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "study"
    ended = sweep(folder, *SEARCH)
    assert ended.returncode == 0, ended.stderr
    return folder


def check_rest(folder: Path, undisturbed: Path, *overrides: str) -> None:
    """The same command finishes what is left, and all is as if nothing had happened."""
    ended = sweep(folder, *SEARCH, *overrides)
    assert ended.returncode == 0, ended.stderr
    records = Records.of(folder)
    assert records.statuses() == ["completed"] * TRIALS
    assert parameters(records.trials()) == parameters(Records.of(undisturbed).trials())
    for number in range(TRIALS):
        assert parts(folder / str(number)) == parts(undisturbed / str(number))


def ended_in_wandb(folder: Path) -> bool:
    """Whether a W&B run was closed: its last record is its exit."""
    words = [sys.executable, "-m", "wandb", "leet", "inspect", str(folder), "--json"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return any("exit" in json.loads(line) or '"exit"' in line for line in said.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "group", "status"),
    [(signal.SIGINT, False, 130), (signal.SIGINT, True, 130), (signal.SIGTERM, False, 143)],
)
def test_a_signal_stops_a_sweep_in_good_order(
    number: int, group: bool, status: int, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    controller = Controller(command(folder, *SEARCH, tracking="wandb"), tmp_path / "log")
    wait_until(lambda: iterations_done(folder / "1") > 0, controller)
    controller.signal(number, group)
    assert controller.wait() == status, controller.said
    assert "Traceback" not in controller.said
    assert goes_on_with(controller.said) == Path(os.path.relpath(folder))
    assert controller.said.count("continues") == 1
    records = Records.of(folder)
    assert records.statuses() == ["completed", "interrupted"]
    assert records.deaths() == {0: 0, 1: 0}
    start = sessions(folder / "1")[0]
    assert start["iterations_done"] == iterations_done(folder / "1")  # the checkpoint is of the very last iteration
    assert 0 < start["iterations_done"] < ITERATIONS
    tracked = sorted({path.parent for path in folder.rglob("offline-run-*/*.wandb")})
    assert len(tracked) == 5  # two seeds of two trials, and the sweep itself
    stopped = next(path for path in tracked if path.is_relative_to(folder / "1"))
    sweeps = next(path for path in tracked if path.is_relative_to(folder / "wandb"))
    assert ended_in_wandb(stopped)
    assert ended_in_wandb(sweeps)
    check_rest(folder, undisturbed)
    assert sessions(folder / "1")[1]["first_iteration"] == start["iterations_done"]


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, 0.3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_sweep_at_once_and_the_next_start_recovers_it(
    number: int, pause: float, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    controller = Controller(command(folder, *SEARCH, tracking="wandb"), tmp_path / "log")
    wait_until(lambda: iterations_done(folder / "1") > 0, controller)
    controller.signal(number)
    time.sleep(0.02 + pause)
    controller.signal(number)
    # It died of the signal, or was through with stopping in good order before the second one came.
    assert controller.wait() in (-number, 128 + number), controller.said
    check_rest(folder, undisturbed)


@pytest.mark.slow
def test_a_signal_may_come_while_a_sweep_starts(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for delay, number in [(0.1, signal.SIGINT), (1, signal.SIGTERM), (2, signal.SIGINT), (3, signal.SIGINT)]:
        controller = Controller(command(folder, *SEARCH), tmp_path / "log")
        time.sleep(delay)
        controller.signal(number)
        assert controller.wait() in (-number, 128 + number), controller.said
        assert "running" not in Records.of(folder).statuses()
    check_rest(folder, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "group", "status"),
    [(signal.SIGINT, True, 130), (signal.SIGINT, False, 130), (signal.SIGTERM, False, 143)],
)
def test_a_signal_stops_workers_in_other_processes(
    number: int, group: bool, status: int, undisturbed: Path, tmp_path: Path
) -> None:
    folder, joblib = tmp_path / "study", "hydra/launcher=joblib"
    controller = Controller(command(folder, *SEARCH, joblib), tmp_path / "log")
    wait_until(lambda: all(iterations_done(folder / name) for name in "01"), controller)
    workers = controller.children()
    controller.signal(number, group)
    assert controller.wait() == status, controller.said
    assert "running" not in Records.of(folder).statuses()
    assert "interrupted" in Records.of(folder).statuses()
    assert set(Records.of(folder).deaths().values()) == {0}
    wait_until(lambda: not any(worker.is_running() for worker in workers))
    check_rest(folder, undisturbed, joblib)


@pytest.mark.slow
def test_when_a_controller_is_killed_and_its_workers_live_on_the_next_start_shares_the_rest_with_them(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder, joblib = tmp_path / "study", "hydra/launcher=joblib"
    controller = Controller(command(folder, *SEARCH, joblib), tmp_path / "log")
    wait_until(lambda: all(iterations_done(folder / name) for name in "01"), controller)
    workers = controller.children()
    try:
        controller.signal(signal.SIGKILL)
        controller.process.wait()
        check_rest(folder, undisturbed, joblib)
    finally:
        for worker in workers:  # with nothing left to do joblib's wait for minutes before they leave
            if worker.is_running():
                worker.kill()


HOLDING = """
    (Path(os.environ["HERE"]) / f"began-{config.x}").touch()
    while (Path(os.environ["HERE"]) / "hold").exists():
        time.sleep(0.05)
    return config.x
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_any_task_function(number: int, status: int, tmp_path: Path) -> None:
    folder, hold = tmp_path / "study", tmp_path / "hold"
    hold.touch()
    words = [*application(tmp_path / "app", HOLDING, "x: 0\n"), "x=range(1,3)", f"hydra.sweep.dir={folder}"]
    controller = Controller(words, tmp_path / "log", HERE=str(tmp_path))
    wait_until(lambda: (tmp_path / "began-1").exists(), controller)
    controller.signal(number)
    assert controller.wait() == status, controller.said
    assert goes_on_with(controller.said) == Path(os.path.relpath(folder))
    assert Records.of(folder).statuses() == ["interrupted"]
    hold.unlink()
    ended = run(words, HERE=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert [(trial.params["x"], trial.value) for trial in Records.of(folder).trials()] == [(1, 1), (2, 2), (3, 3)]


CLEANING = """
    try:
        while True:
            (Path(os.environ["HERE"]) / f"began-{config.x}").touch()
            time.sleep(0.05)
    finally:
        time.sleep(3)
        (Path(os.environ["HERE"]) / f"cleaned-{config.x}").touch()
"""


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_leaves_all_workers_the_time_to_clean_up(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    workers = ("hydra/launcher=joblib", "hydra.sweeper.n_jobs=2", "hydra.sweeper.heartbeat=0.2")
    words = [*application(tmp_path / "app", CLEANING, "x: 0\n"), *workers, "x=range(1,2)", f"hydra.sweep.dir={folder}"]
    controller = Controller(words, tmp_path / "log", HERE=str(tmp_path))
    wait_until(lambda: all((tmp_path / f"began-{x}").exists() for x in (1, 2)), controller)
    controller.signal(signal.SIGINT, group=True)  # reaches the workers twice: as it is, and passed on by the controller
    assert controller.wait() == 130, controller.said
    assert all((tmp_path / f"cleaned-{x}").exists() for x in (1, 2))
    assert Records.of(folder).statuses() == ["interrupted"] * 2
    assert set(Records.of(folder).deaths().values()) == {0}


BAD = """
    if config.kind == "exception":
        raise ValueError("so it\\nhappens")
    if config.kind == "memory":
        return len(bytearray(1 << 62))
    if config.kind == "exit":
        sys.exit(3)
    if config.kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"no_number": float("nan"), "text": "five"}.get(config.kind, 1.0)
"""


def bad(tmp_path: Path, *kinds: str) -> list[str]:
    """A sweep whose trials go wrong in these ways, one after another."""
    words = application(tmp_path / "app", BAD, "kind: fine\n")
    return [*words, f"kind=choice({','.join(kinds)})", f"hydra.sweep.dir={tmp_path / 'study'}"]


def test_no_bad_trial_ends_a_sweep_and_each_is_told_apart(tmp_path: Path) -> None:
    kinds = ("fine", "exception", "no_number", "memory", "exit", "text", "good")
    ended = run(bad(tmp_path, *kinds))
    folder = tmp_path / "study"
    assert ended.returncode == 0, ended.stderr
    trials = Records.of(folder).trials()
    assert [trial.params["kind"] for trial in trials] == list(kinds)
    failed = {"exception", "memory", "exit", "text"}
    expected = ["failed" if kind in failed else "diverged" if kind == "no_number" else "completed" for kind in kinds]
    assert Records.of(folder).statuses() == expected
    reasons = {trial.params["kind"]: trial.user_attrs["outcome"]["reason"] for trial in trials}
    assert reasons["exception"] == "ValueError: so it happens"
    assert reasons["memory"] == "MemoryError"
    assert "exit status 3" in reasons["exit"]
    assert "'five'" in reasons["text"]
    for kind in ("exception", "memory", "exit"):
        written = (folder / str(kinds.index(kind)) / "error.txt").read_text()
        assert written.startswith("Traceback" if kind != "exit" else "RuntimeError")
        assert f"trial {kinds.index(kind)} failed: {reasons[kind]}" in ended.stdout
    assert not (folder / "0" / "error.txt").exists()


@pytest.mark.slow
def test_a_sweep_of_which_all_trials_fail_says_so_and_fails(tmp_path: Path) -> None:
    ended = run(bad(tmp_path, "exception", "memory"))
    assert ended.returncode not in (0, 130, 143)
    assert "all 2 trials failed" in ended.stderr
    assert Records.of(tmp_path / "study").statuses() == ["failed"] * 2
    again = run(bad(tmp_path, "exception", "memory"))
    assert again.returncode == ended.returncode
    assert len(Records.of(tmp_path / "study").trials()) == 2


@pytest.mark.slow
def test_a_trial_that_kills_its_process_is_given_up_after_so_many_starts(tmp_path: Path) -> None:
    words = [*bad(tmp_path, "fine", "killed", "good"), "hydra.sweeper.max_retries=2"]
    assert [run(words).returncode for _ in range(4)] == [-signal.SIGKILL] * 3 + [0]
    records = Records.of(tmp_path / "study")
    assert records.statuses() == ["completed", "failed", "completed"]
    assert records.trials()[1].user_attrs["outcome"]["reason"] == "its process died 3 times"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_trial_that_kills_its_worker_does_not_end_the_sweep(workers: int, tmp_path: Path) -> None:
    words = [*bad(tmp_path, "fine", "killed", "good"), "hydra/launcher=joblib", f"hydra.sweeper.n_jobs={workers}"]
    ended = run(words)
    assert ended.returncode == 0, ended.stderr
    records = Records.of(tmp_path / "study")
    states, failed = records.statuses(), records.trials()[1]
    assert states[1] == "failed"
    assert failed.user_attrs["outcome"]["reason"] == "its process died 4 times"  # max_retries=3
    # joblib ends a killed worker's neighbours too, so that others may be begun more than once; none may be lost.
    assert [states[0], states[2]] == ["completed"] * 2
    for trial in records.trials():
        lease = Lease.read(trial.system_attrs)
        assert lease is not None
        assert lease.owner.alive is False


@pytest.mark.slow
def test_a_trial_whose_seeds_all_diverge_is_told_as_diverged(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    ended = sweep(
        folder,
        "optimizer=sgd",
        "optimizer.lr=choice(1000000.0,0.001)",
        "training.clip_norm=null",
        "training.iterations=100",
    )
    assert ended.returncode == 0, ended.stderr
    assert Records.of(folder).statuses() == ["diverged", "completed"]
    first = Records.of(folder).trials()[0]
    assert first.user_attrs["outcome"]["diverged"] == 2
    assert first.values is not None


@pytest.mark.slow
def test_a_trial_whose_folder_is_in_use_waits_until_it_is_free(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    (folder / "0").mkdir(parents=True)
    search = ("hydra.sweeper.n_trials=2", "training.iterations=40")
    with FileLock(folder / "0" / LOCK_FILE):  # as by a worker that was thought dead and is not quite
        controller = Controller(command(folder, *search), tmp_path / "log")
        wait_until(lambda: "interrupted" in Records.of(folder).statuses(), controller)
        time.sleep(3)
        assert controller.running, controller.said
    assert controller.wait() == 0, controller.said
    assert Records.of(folder).statuses() == ["completed"] * 2
    assert set(Records.of(folder).deaths().values()) == {0}
