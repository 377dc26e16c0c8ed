"""The real W&B client against a small server: the server receives the history's rows, whatever its failures."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import badger_sweeps
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.lock import exclusive
from badger_sweeps.search.logger import exclusive_logging
from tests.runs.commands import command, start, wait_for_iteration
from tests.search import commands as sweeps
from tests.tracking.servers import KEY, Server

OVERRIDES = ("training.iterations=60", "tracking.every=7", "measures.every=20", "measures.inner_binding.every=20")
ROOT = Path(badger_sweeps.__file__).parent.parent
LOGGED = sorted({*range(0, 60, 7), 20, 40})
SYNC = [sys.executable, "-m", "badger_sweeps", "sync"]


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


def environment(server: Server, key: str = KEY) -> dict[str, str]:
    return {**os.environ, "WANDB_BASE_URL": server.address, "WANDB_API_KEY": key}


def run(server: Server, folder: Path, *overrides: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    words = command(folder, *OVERRIDES, *overrides, tracking="wandb")
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment(server, key))


def sync(server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SYNC, str(folder)], capture_output=True, text=True, check=False, env=environment(server), timeout=300
    )


def check(server: Server, folder: Path, logged: list[int] = LOGGED) -> None:
    """Compare every value: a run for each seed, with the rows of the history, each once."""
    history = read_history(folder)
    assert len(server.runs) == 3
    for name, arrived in server.runs.items():
        seed = int(name.rsplit("-", 1)[1])
        of_seed = history[history["seed"] == seed].set_index("iteration")
        rows = [row for row in arrived.rows if "iteration" in row]
        assert [row["iteration"] for row in rows] == logged
        for row in rows:
            expected = of_seed.loc[row["iteration"]]
            logged_values = {key: value for key, value in row.items() if key in of_seed.columns}
            assert {"loss", "loss_dim/0", "grad_norm", "plateau/index"} <= logged_values.keys()
            for key, value in logged_values.items():
                assert_same(value, expected[key])


def assert_same(logged: Any, expected: Any) -> None:
    if isinstance(logged, list):
        assert logged == pytest.approx(list(expected))
    elif logged in ("NaN", None) or pd.isna(expected):  # JSON has no NaN
        assert pd.isna(expected)
    else:
        assert logged == pytest.approx(float(expected))


def test_an_online_run_logs_the_rows_of_its_history(server: Server, tmp_path: Path) -> None:
    done = run(server, tmp_path / "run", "tracking.mode=online")
    assert done.returncode == 0, done.stderr
    check(server, tmp_path / "run")
    for arrived in server.runs.values():
        assert arrived.exit_code == 0
        assert {"final_loss", "plateau_iterations", "objective", "consensus_rate"} <= arrived.summary.keys()
    assert sync(server, tmp_path / "run").returncode == 0
    check(server, tmp_path / "run")


@pytest.mark.slow
def test_offline_then_sync_and_sync_again(server: Server, tmp_path: Path) -> None:
    assert run(server, tmp_path / "run").returncode == 0
    assert server.requests == 0
    for _ in range(2):
        done = sync(server, tmp_path)
        assert done.returncode == 0, done.stderr
        assert "iteration 60/60" in done.stderr
        check(server, tmp_path / "run")
        assert {arrived.exit_code for arrived in server.runs.values()} == {0}


@pytest.mark.slow
def test_the_packages_code_is_uploaded_once(server: Server, tmp_path: Path) -> None:
    """One upload for all seeds and both deliveries, with the package's files byte by byte, and no other file."""
    assert run(server, tmp_path / "online", "tracking.mode=online").returncode == 0
    assert run(server, tmp_path / "offline").returncode == 0
    for _ in range(2):
        assert sync(server, tmp_path).returncode == 0
    (uploaded,) = (path for path in server.uploads if path.endswith(".zip"))
    archive = zipfile.ZipFile(io.BytesIO(server.files[uploaded]))
    arrived = {name: archive.read(name) for name in archive.namelist()}
    parts = [ROOT / part for part in ("badger_sweeps", "hydra_plugins/badger_sweeper", "conf")]
    files = [path for part in parts for path in part.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert arrived == {str(path.relative_to(ROOT)): path.read_bytes() for path in files}
    (artifact,) = server.artifacts.by_digest.values()
    assert artifact.committed
    assert artifact.created["artifactTypeName"] == "code"
    assert set(artifact.runs) == set(server.runs)
    assert len(server.runs) == 6


@pytest.mark.slow
@pytest.mark.parametrize(("ended_by", "status"), [(signal.SIGKILL, 1), (signal.SIGINT, 130)])
def test_an_unfinished_run_has_the_exit_status_of_its_process(
    ended_by: signal.Signals, status: int, server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = start(folder, *OVERRIDES, "training.iterations=100000", tracking="wandb")
    wait_for_iteration(folder, 10, process)
    process.send_signal(ended_by)
    process.communicate()
    assert sync(server, tmp_path).returncode == 0
    assert [arrived.exit_code for arrived in server.runs.values()] == [status] * 3


@pytest.mark.slow
def test_a_run_that_is_still_running_is_not_delivered(server: Server, tmp_path: Path) -> None:
    assert run(server, tmp_path / "run").returncode == 0
    with exclusive(tmp_path / "run"):
        done = sync(server, tmp_path)
    assert done.returncode == 0
    assert done.stdout == "run: still running, not delivered\n"
    assert not server.runs


@pytest.mark.slow
def test_a_search_is_delivered_once_with_its_trials(server: Server, tmp_path: Path) -> None:
    """Including trials that ended after the first delivery."""
    folder = tmp_path / "search"
    for total in (2, 2, 3):
        search = ("training.iterations=30", "tracking.every=5", f"hydra.sweeper.n_trials={total}")
        done = sweeps.sweep(folder, *search, tracking="wandb")
        assert done.returncode == 0, done.stderr
        done = sync(server, folder)
        assert done.returncode == 0, done.stderr
        trials = {name: arrived for name, arrived in server.runs.items() if arrived.upserts[0]["jobType"] == "train"}
        (of_search,) = (arrived for name, arrived in server.runs.items() if name not in trials)
        assert of_search.upserts[0]["jobType"] == "search"
        assert [row["search/trial"] for row in of_search.rows] == list(range(total))
        assert len(trials) == 2 * total
        for number in range(total):
            history = read_history(folder / str(number))
            of_trial = [run for run in trials.values() if run.upserts[0]["groupName"] == f"search {number}"]
            assert len(of_trial) == 2
            for seed, arrived in enumerate(of_trial):
                losses = history.loc[history["seed"] == seed].set_index("iteration")["loss"]
                assert [row["iteration"] for row in arrived.rows] == list(range(0, 30, 5))
                assert [row["loss"] for row in arrived.rows] == pytest.approx(list(losses[::5]))
    with exclusive_logging(folder):
        assert "search search: still running, not delivered\n" in sync(server, folder).stdout


@pytest.mark.slow
def test_a_continued_run_is_delivered_as_one(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run(server, folder, "training.iterations=40").returncode == 0
    assert sync(server, tmp_path).returncode == 0
    assert run(server, folder).returncode == 0
    assert sync(server, tmp_path).returncode == 0
    check(server, folder)


LONG = ("training.inner_steps=120", "measures=none", "measures.inner_loop.every=5", "tracking.every=1")


@pytest.mark.slow
def test_a_long_inner_loop_is_delivered_once_after_any_stride(server: Server, tmp_path: Path) -> None:
    """Rows that the server has with a shorter stride stay; rows that did not fit, and all later rows, are delivered."""
    folder = tmp_path / "run"
    budgets = [
        {"training.iterations=6"},
        {"training.iterations=6"},
        {"training.iterations=11"},
        {"training.iterations=11"},
    ]
    for position, budget in enumerate(budgets):
        assert run(server, folder, *LONG, *budget).returncode == 0
        if not position:  # as logged with 100 steps per iteration, with the inner loop cut off at 99
            for seed in range(3):
                log_with_short_stride(server, folder, seed)
        done = sync(server, tmp_path)
        assert done.returncode == 0, done.stderr
        iterations = 11 if position > 1 else 6
        check(server, folder, list(range(iterations)))
        history = read_history(folder)
        for name, arrived in server.runs.items():
            of_seed = history[history["seed"] == int(name.rsplit("-", 1)[1])].set_index("iteration")
            inner = [row for row in arrived.rows if "inner_step" in row]
            assert [row["inner_step"] for row in inner] == [*range(1, 121)] * (2 if position > 1 else 1)
            expected = [value for at in ((5, 10) if position > 1 else (5,)) for value in of_seed.loc[at, "inner/loss"]]
            assert [row["inner/loss"] for row in inner] == pytest.approx(expected)
            steps = [row["_step"] for row in arrived.rows]
            assert steps == sorted(set(steps))


def log_with_short_stride(server: Server, folder: Path, seed: int) -> None:
    """Give the server the rows that earlier versions, which recorded no strides, would have logged."""
    (name,) = {path.name.split("-", 3)[-1] for path in folder.glob(f"wandb/offline-run-*-{seed}")}
    history = read_history(folder)
    of_seed = history[history["seed"] == seed].set_index("iteration")
    metrics = ["loss", "loss_dim/0", "grad_norm", "plateau/index"]
    rows = [
        {"iteration": at, **{key: float(row[key]) for key in metrics}, "_step": 100 * at}
        for at, row in of_seed.iterrows()
    ]
    loop = of_seed.loc[5, "inner/loss"]
    rows += [{"inner_step": at, "inner/loss": float(loop[at - 1]), "_step": 500 + at} for at in range(1, 100)]
    arrived = server.runs[name]
    arrived.upserts.append({"name": name, "config": json.dumps({"seed": {"value": seed}})})
    arrived.lines = dict(enumerate(rows))


TROUBLES = ("no server", "a server that answers 500", "a key that it refuses")


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES)
def test_training_continues_and_no_row_is_lost(trouble: str, server: Server, tmp_path: Path) -> None:
    if trouble == "no server":
        server.stop()
    server.status = {"no server": 200, "a server that answers 500": 500, "a key that it refuses": 401}[trouble]
    done = run(server, tmp_path / "run", "tracking.mode=online")
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(warnings) == 1, done.stderr
    assert warnings[0].startswith("W&B: ")
    assert "badger-sweeps sync" in warnings[0]
    if trouble == "no server":
        server.start(server.port)
    server.status = 200
    assert sync(server, tmp_path).returncode == 0
    check(server, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("death", ["stops", "answers 500"])
def test_a_server_that_fails_during_a_run_loses_no_row(death: str, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = command(folder, *OVERRIDES, "training.iterations=4000", "tracking.mode=online", tracking="wandb")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=log, env=environment(server))
    deadline = time.monotonic() + 120
    while not any(arrived.lines for arrived in server.runs.values()):  # until some rows have arrived
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    if death == "stops":
        server.stop()
    else:
        server.status = 500
    assert process.wait(timeout=180) == 0
    if death == "stops":
        server.start(server.port)
    server.status = 200
    assert sync(server, tmp_path).returncode == 0
    check(server, folder, sorted({*range(0, 4000, 7), *range(0, 4000, 20)}))


@pytest.mark.slow
def test_the_key_is_in_no_file(server: Server, tmp_path: Path) -> None:
    done = run(server, tmp_path / "run", "tracking.mode=online")
    assert KEY not in done.stdout + done.stderr
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    for content in server.files.values():
        assert KEY.encode() not in content
