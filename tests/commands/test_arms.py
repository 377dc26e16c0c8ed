"""``hydra/sweeper=arms``: every arm once, with what the command line says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from hydra_plugins.badger_sweeper.arms import jobs
from tests import warm
from tests.runs.commands import SMALL

ARMS = {"plain": {}, "other": {"loss": "l1", "measures.binding.every": None}}


def listed(*arguments: str) -> list[list[str]]:
    return jobs(ARMS, OverridesParser.create().parse_overrides(list(arguments)))


def test_every_arm_is_a_job_with_a_folder_of_its_name() -> None:
    assert listed("seeds=3") == [
        ["seeds=3", "hydra.sweep.subdir='plain'"],
        ["loss=l1", "measures.binding.every=null", "seeds=3", "hydra.sweep.subdir='other'"],
    ]


def test_what_is_swept_multiplies_the_arms_and_is_in_the_name() -> None:
    found = listed("optimizer.lr=0.1,0.2", "seeds=3")
    assert [job[-1] for job in found] == [
        f"hydra.sweep.subdir='{arm},optimizer.lr={lr}'" for arm in ("plain", "other") for lr in ("0.1", "0.2")
    ]
    assert found[1][:2] == ["optimizer.lr=0.2", "seeds=3"]


def test_a_study_without_arms_is_refused() -> None:
    with pytest.raises(HydraException, match="must name at least one arm"):
        jobs({}, [])


def test_a_study_trains_its_arms_and_the_next_one_takes_them_over(tmp_path: Path) -> None:
    settings = [own for own in SMALL if not own.startswith("topology.links")]
    settings += ["training.iterations=40", "training.snapshot_every=20", "measures=none", "topology.links=2"]

    def study(name: str, *more: str, into: str = "") -> str:
        folder = f"hydra.sweep.dir={tmp_path / 'runs' / (into or name)}"
        words = [sys.executable, "-m", "badger_sweeps", f"study={name}", folder, *settings, *more]
        done = warm.run(words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # The arm without links has no key for them.
    said = study("weighted_readout", "tracking.mode=offline")
    assert sorted(path.name for path in (tmp_path / "runs" / "weighted_readout").iterdir() if path.is_dir()) == [
        "mean",
        "mean_alike",
        "positive",
        "positive_alike",
        "signed",
        "signed_alike",
    ]
    assert "mean: native engine" in said or "mean: reference engine" in said
    again = study("dmd", "tracking=disabled")
    assert "badger: taken over from" in again
    assert "weighted_readout/mean, which has the same configuration and code" in again
    assert "engine" not in again  # nothing was trained
    told = json.loads((tmp_path / "runs" / "dmd" / "badger" / "provenance.json").read_text())
    assert told["group"] == "dmd/badger"
    assert "taken over" not in study("dmd", "tracking=disabled", "reuse=false", into="again")
