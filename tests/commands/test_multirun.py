"""Multiruns whose words only a job's own configuration can resolve."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import OmegaConf

from tests import warm
from tests.runs.commands import SMALL


def test_interpolations_are_resolved_in_each_job(tmp_path: Path) -> None:
    swept = ("optimizer.lr=0.01,0.02", "training.clip_norm=${optimizer.lr}", "hydra.sweep.subdir=${hydra.job.num}")
    quick = ("seeds=2", "training.iterations=3", "measures=none", "tracking=disabled")
    settings = [word for word in SMALL if not word.startswith(("seeds", "optimizer.lr"))]
    words = [sys.executable, "-m", "badger_sweeps", "-m", f"hydra.sweep.dir={tmp_path}", *settings, *quick, *swept]
    done = warm.run(words)
    assert done.returncode == 0, done.stdout + done.stderr
    for number, rate in enumerate((0.01, 0.02)):
        config = OmegaConf.load(tmp_path / str(number) / ".hydra" / "config.yaml")
        assert config.training.clip_norm == config.optimizer.lr == rate
