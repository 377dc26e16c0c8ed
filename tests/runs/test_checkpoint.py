"""What a checkpointer saves, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core import files
from badger_sweeps.runs.checkpoint import Checkpointer, read_checkpoint, snapshots
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train_in_chunks
from badger_sweeps.training.population import Population


def population(**changes: Any) -> Population:
    training = {"iterations": 24, "batch_size": 4, "inner_steps": 2, "checkpoint_every": 12, "snapshot_every": 12}
    topology = RandomLinks(experts=3, links=1)
    return Population(
        Experiment(
            architecture=GRU(hidden=4, message=2), topology=topology, training=Training(**{**training, **changes}),
            seeds=(1, 2), device="cpu",
        )
    )  # fmt: skip


def saved(path: Path) -> int:
    return int(read_checkpoint(path)[1]["iteration"])


def test_no_checkpoint_is_ahead_of_the_records_if_a_member_diverged_among_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records of one call come in two pieces then, and the population is ahead of the first."""
    monkeypatch.setattr("badger_sweeps.training.loop.SECONDS", 1e9)
    members, observed, seen = population(), 0, []
    members.draw_games(24)
    assert members._drawn is not None
    members._drawn.targets[5 * 2] = torch.nan  # of the first member, in iteration 5
    checkpointer = Checkpointer(tmp_path, members, lambda: seen.append((observed, members.iteration)))
    pieces = 0
    for records in train_in_chunks(members, checkpointer.next_stop):
        observed, pieces = records.iterations.stop, pieces + 1
        checkpointer.observe(records)
    assert pieces > 3
    assert seen == [(12, 12), (24, 24)]


def test_a_snapshot_is_saved_before_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the two, a run continues from the checkpoint before and saves the snapshot again."""
    members, replaced = population(), []
    replace = Path.replace

    def noted(path: Path, target: Path) -> Path:
        replaced.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(files.Path, "replace", noted)
    checkpointer = Checkpointer(tmp_path, members, lambda: None)
    for records in train_in_chunks(members, checkpointer.next_stop):
        checkpointer.observe(records)
    assert replaced == ["000000000.pt", "000000012.pt", "checkpoint.pt", "000000024.pt", "checkpoint.pt"]


def test_a_continued_run_keeps_the_snapshot_at_which_it_continues(tmp_path: Path) -> None:
    """And removes later ones, of a run that was restarted."""
    members = population()
    checkpointer = Checkpointer(tmp_path, members, lambda: None)
    for records in train_in_chunks(members, checkpointer.next_stop):
        checkpointer.observe(records)
    assert saved(tmp_path / "checkpoint.pt") == 24
    again = population()
    again.load_state_dict(read_checkpoint(snapshots(tmp_path)[1])[1])
    Checkpointer(tmp_path, again, lambda: None)
    assert [saved(path) for path in snapshots(tmp_path)] == [0, 12]
