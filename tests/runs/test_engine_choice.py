"""The engine that a run reports on the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

from badger_sweeps.engines.native.engine import Native
from badger_sweeps.training.experiment import Experiment

from .commands import run

NATIVE = Native().resolve(Experiment(device="cpu").system, torch.device("cpu")).description


def announced(done: subprocess.CompletedProcess[str]) -> str:
    """The first line, without the run's name."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()[0].split(": ", maxsplit=1)[1]


@pytest.mark.parametrize("engine", ["auto", pytest.param("native", marks=pytest.mark.slow)])
def test_a_run_reports_its_engine(engine: str, tmp_path: Path) -> None:
    done = run(tmp_path / "run", "training.iterations=2", f"engine={engine}", "device=cpu")
    assert announced(done) == NATIVE
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["sessions"][-1]["engine"] == NATIVE


def test_the_reference_when_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path / "run", "training.iterations=2", "engine=reference", "device=cpu")
    assert announced(done) == "reference engine (PyTorch)"


@pytest.mark.parametrize("engine", ["auto", "native"])
def test_no_error_without_a_compiler(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    done = run(tmp_path / "run", "training.iterations=2", f"engine={engine}", "device=cpu")
    assert announced(done).startswith("reference engine (PyTorch), since there is no C++ compiler")
    assert not (tmp_path / "cache").exists()


def test_a_run_continues_with_another_engine(tmp_path: Path) -> None:
    """Stopped on a machine with a compiler, continued on one without: engines differ only in rounding."""
    first = run(tmp_path / "run", "training.iterations=3", "device=cpu")
    assert announced(first) == NATIVE
    second = run(tmp_path / "run", "training.iterations=6", "engine=reference", "device=cpu")
    assert announced(second) == "reference engine (PyTorch)"
    sessions = json.loads((tmp_path / "run" / "provenance.json").read_text())["sessions"]
    assert [session["engine"] for session in sessions] == [NATIVE, "reference engine (PyTorch)"]
