"""``hydra/sweeper=arms``: a job for every arm, with the overrides of the command line."""

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


def test_every_arm_is_a_job_in_a_folder_with_its_name() -> None:
    assert listed("seeds=3") == [
        ["seeds=3", "hydra.sweep.subdir='plain'"],
        ["loss=l1", "measures.binding.every=null", "seeds=3", "hydra.sweep.subdir='other'"],
    ]


def test_swept_values_multiply_the_arms_and_are_in_the_folders_names() -> None:
    swept = listed("optimizer.lr=0.1,0.2", "seeds=3")
    assert [job[-1] for job in swept] == [
        f"hydra.sweep.subdir='{arm},optimizer.lr={lr}'" for arm in ("plain", "other") for lr in ("0.1", "0.2")
    ]
    assert swept[1][:2] == ["optimizer.lr=0.2", "seeds=3"]


def test_a_study_without_arms_is_refused() -> None:
    with pytest.raises(HydraException, match="must name at least one arm"):
        jobs({}, [])


def test_a_study_trains_its_arms_and_the_next_study_reuses_them(tmp_path: Path) -> None:
    settings = [override for override in SMALL if not override.startswith("topology.links")]
    settings += ["training.iterations=40", "training.snapshot_every=20", "measures=none", "topology.links=2"]

    def study(name: str, *more: str, into: str = "") -> str:
        folder = f"hydra.sweep.dir={tmp_path / 'runs' / (into or name)}"
        words = [sys.executable, "-m", "badger_sweeps", f"study={name}", folder, *settings, *more]
        done = warm.run(words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # The arm without edges has no key `topology.links`.
    output = study("weighted_readout", "tracking.mode=offline")
    assert sorted(path.name for path in (tmp_path / "runs" / "weighted_readout").iterdir() if path.is_dir()) == [
        "mean",
        "mean_alike",
        "positive",
        "positive_alike",
        "signed",
        "signed_alike",
    ]
    assert "mean: native engine" in output or "mean: reference engine" in output
    again = study("dmd", "tracking=disabled")
    assert "badger: taken over from" in again
    assert "weighted_readout/mean, which has the same configuration and code" in again
    assert "engine" not in again  # nothing was trained
    provenance = json.loads((tmp_path / "runs" / "dmd" / "badger" / "provenance.json").read_text())
    assert provenance["group"] == "dmd/badger"
    assert "taken over" not in study("dmd", "tracking=disabled", "reuse=false", into="again")
