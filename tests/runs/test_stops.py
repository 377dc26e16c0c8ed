"""Runs that real signals to real processes stop, and that are then continued."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch

from badger_sweeps.runs.checkpoint import FORMAT
from tests.runs.commands import parts, run, start, wait_for_iteration

ITERATIONS = "training.iterations=4000"
"""A second, a hundred times as long as it takes until a signal is sent and arrives."""
EVERY = "training.checkpoint_every=40"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    finished = run(folder, ITERATIONS, EVERY)
    assert finished.returncode == 0, finished.stderr
    return folder


def without_wall_time(folder: Path) -> object:
    return json.loads((folder / "summary.json").read_text())["seeds"]


@pytest.mark.slow
def test_a_run_killed_repeatedly_leaves_the_same_files(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for reached in (25, 925, 1925, 2925):  # none at a checkpoint
        process = start(folder, ITERATIONS, EVERY)
        read = wait_for_iteration(folder, reached, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        after = pd.read_parquet(folder / "history.parquet")
        assert len(after) >= len(read)  # rows that were readable stay
        assert not list(folder.glob("summary.json"))
    finished = run(folder, ITERATIONS, EVERY)
    assert finished.returncode == 0, finished.stderr
    assert parts(folder) == parts(undisturbed)
    assert without_wall_time(folder) == without_wall_time(undisturbed)
    sessions = json.loads((folder / "provenance.json").read_text())["sessions"]
    assert len(sessions) == 5
    assert sessions[-1]["first_iteration"] > 2800


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_stops_a_run_with_everything_saved(
    undisturbed: Path, tmp_path: Path, number: int, status: int
) -> None:
    folder = tmp_path / "run"
    process = start(folder, ITERATIONS, EVERY, tracking="wandb")
    wait_for_iteration(folder, 50, process)
    os.killpg(process.pid, number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    assert f"the same command with hydra.run.dir={os.path.relpath(folder)} continues\n" in output
    last = pd.read_parquet(folder / "history.parquet")["iteration"].max()
    session = json.loads((folder / "provenance.json").read_text())["sessions"][0]
    assert session["iterations_done"] == last + 1  # the checkpoint is of the very last iteration
    assert len(list(folder.glob("wandb/offline-run-*/run-*.wandb"))) == 3
    finished = run(folder, ITERATIONS, EVERY)
    assert finished.returncode == 0, finished.stderr
    assert parts(folder) == parts(undisturbed)


def test_a_finished_run_is_not_trained_again(undisturbed: Path) -> None:
    before = parts(undisturbed)
    again = run(undisturbed, ITERATIONS, EVERY)
    assert again.returncode == 0, again.stderr
    assert "it/s" not in again.stdout
    assert parts(undisturbed) == before
    assert len(json.loads((undisturbed / "provenance.json").read_text())["sessions"]) == 1


def test_a_larger_budget_continues_a_run(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run(folder, "training.iterations=300", EVERY).returncode == 0
    longer = run(folder, ITERATIONS, EVERY)
    assert longer.returncode == 0, longer.stderr
    assert parts(folder) == parts(undisturbed)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("optimizer.lr=0.02", "`optimizer.lr` must be 0.01, as in the checkpoint"),
        ("seeds=4", "`seeds` must be [0, 1, 2]"),
        ("architecture=exponential", "`architecture` must be 'GRU'"),
        ("training.iterations=100", "`training.iterations` must be at least the 4000 iterations done"),
    ],
)
def test_another_configuration_is_refused_and_changes_no_file(undisturbed: Path, override: str, error: str) -> None:
    before = everything(undisturbed)
    refused = run(undisturbed, ITERATIONS, EVERY, override)
    assert refused.returncode == 2
    assert error in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert everything(undisturbed) == before


@pytest.mark.parametrize("keep", [0, 100, 0.5, -1])
def test_a_truncated_checkpoint_is_refused_and_changes_no_file(undisturbed: Path, tmp_path: Path, keep: float) -> None:
    checkpoint = undisturbed / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    size = int(keep * len(whole)) if 0 < keep < 1 else keep
    checkpoint.write_bytes(whole[:size])
    before = everything(undisturbed)
    try:
        refused = run(undisturbed, ITERATIONS, EVERY)
        assert refused.returncode == 2
        assert "must be a whole checkpoint" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert everything(undisturbed) == before
    finally:
        checkpoint.write_bytes(whole)


@pytest.mark.parametrize(("made_with", "age"), [(None, "an earlier"), (FORMAT + 1, "a later")])
def test_a_checkpoint_of_another_version_is_refused_and_changes_no_file(
    undisturbed: Path, made_with: int | None, age: str
) -> None:
    """The first versions recorded no format."""
    checkpoint = undisturbed / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    content = torch.load(checkpoint, weights_only=True)
    del content["format"]
    torch.save(content if made_with is None else {**content, "format": made_with}, checkpoint)
    before = everything(undisturbed)
    try:
        refused = run(undisturbed, ITERATIONS, EVERY)
        assert refused.returncode == 2
        assert f"must be a checkpoint of this version of badger_sweeps (format {FORMAT})" in refused.stderr
        assert f"found one of {age} version (format {made_with or 1})" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert everything(undisturbed) == before
    finally:
        checkpoint.write_bytes(whole)


@pytest.mark.parametrize("spoil", ["missing", "damaged", "gap"])
def test_a_lost_history_is_refused_and_changes_no_file(undisturbed: Path, tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    if spoil == "missing":
        shutil.rmtree(folder / "history.parquet")
    elif spoil == "damaged":
        next((folder / "history.parquet").iterdir()).write_bytes(b"PAR1 and no more")
    else:
        (part,) = (folder / "history.parquet").iterdir()
        history = pd.read_parquet(part)
        history[~history["iteration"].between(200, 230)].to_parquet(part, index=False)
    before = everything(folder)
    refused = run(folder, "training.iterations=5000", EVERY)
    assert refused.returncode == 2
    assert "must hold the 4000 iterations that its checkpoint has done" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert everything(folder) == before


def test_a_continued_run_has_no_summary_until_it_is_done(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    process = start(folder, "training.iterations=100000", EVERY)
    wait_for_iteration(folder, 4050, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "summary.json").exists()


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    folder, long = tmp_path / "run", "training.iterations=100000"
    first = start(folder, long)
    wait_for_iteration(folder, 10, first)
    second = run(folder, long)
    assert second.returncode == 2
    assert "must be free; found another process" in second.stderr
    assert second.stderr.count("\n") == 1
    os.killpg(first.pid, signal.SIGINT)
    _, errors = first.communicate(timeout=120)
    assert first.returncode == 130, errors
    assert pd.read_parquet(folder / "history.parquet")["iteration"].is_monotonic_increasing
