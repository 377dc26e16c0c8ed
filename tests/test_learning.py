"""What correct training looks like: the staircase of the reference runs, and the same numbers every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from rich.console import Console

from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.supervised_lstm import SupervisedLSTM
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.runs.run import Plan, run
from badger_sweeps.runs.summary import Summary
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.topologies.disconnected import Disconnected
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population
from tests.choices import UNMEASURED


def trained(folder: Path, experiment: Experiment) -> Summary:
    plan = Plan(experiment, UNMEASURED, folder, "test", (), {}, "escape_iteration", Disabled())
    return run(plan, Console(quiet=True))


def check_levels(summary: Summary) -> int:
    """A plateau's level is its level's, and no dimension is worse than chance.

    With k directions solved exactly the errors per dimension add up to D - k, each within [0, 1]: a solved direction
    need not be a dimension, and networks do rest on mixtures such as (.25, .38, .35, .10). A quarter of a gap is
    allowed, as what is solved is not yet exact. Gives the number of plateaus that were checked.
    """
    plateaus = [plateau for outcome in summary.outcomes for plateau in outcome.plateaus]
    for plateau in plateaus:
        assert sum(plateau.loss_dim) / len(plateau.loss_dim) == pytest.approx(plateau.mean_loss, abs=1e-6)
        assert plateau.mean_loss == pytest.approx(plateau.staircase_level, abs=summary.staircase.tolerance)
        assert all(0 <= error < 1.1 for error in plateau.loss_dim)
    return len(plateaus)


def test_a_population_walks_down_the_ladder(tmp_path: Path) -> None:
    """Small enough for seconds: every seed leaves chance, in steps that agree with what is solved."""
    experiment = Experiment(
        architecture=GRU(reset_gate=False),
        topology=RandomLinks(experts=8, links=3),
        optimizer=Adam(lr=0.003),
        training=Training(iterations=700, inner_steps=10),
        seeds=(0, 1, 2, 3),
        device="cpu",
    )
    summary = trained(tmp_path, experiment)
    assert all(outcome.escape_iteration is not None for outcome in summary.outcomes)
    assert all(outcome.final_loss is not None and outcome.final_loss < 0.55 for outcome in summary.outcomes)
    assert check_levels(summary) >= 8
    for outcome in summary.outcomes:
        levels = [plateau.staircase_level for plateau in outcome.plateaus]
        assert levels == sorted(levels, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [GRU(reset_gate=False), Exponential(reset_gate=False)])
def test_the_reference_runs(tmp_path: Path, architecture: GRU) -> None:
    """D=4, E=16, 4 links, H=32, M=8, B=64, T=20, Adam 1e-3: in trial runs of an independent implementation all seeds
    were below .76 after 600 iterations (gru) and below .02 after 2000 (.01 after 1800, exponential). Ten times that is
    allowed at the end, since one seed may still be falling."""
    experiment = Experiment(
        architecture=architecture,
        optimizer=Adam(lr=1e-3),
        training=Training(iterations=2000),
        seeds=(0, 1, 2),
        device="cpu",
    )
    summary = trained(tmp_path, experiment)
    assert all(outcome.escape_iteration < 600 for outcome in summary.outcomes)
    assert all(outcome.solved_iteration is not None for outcome in summary.outcomes)
    assert all(outcome.final_loss < 0.2 for outcome in summary.outcomes)
    assert check_levels(summary) >= 6  # two plateaus a seed


@pytest.mark.parametrize("phases", [pytest.param("common", marks=pytest.mark.slow), "independent"])
def test_the_supervised_baseline_learns_the_frequencies(
    tmp_path: Path, phases: Literal["common", "independent"]
) -> None:
    """With the phases as inputs it has no plateau to sit on: solved within some hundred iterations."""
    experiment = Experiment(
        architecture=SupervisedLSTM(),
        topology=Disconnected(experts=1),
        task=Frequency(dims=11, phases=phases),
        optimizer=Adam(lr=0.003),
        training=Training(iterations=500, inner_steps=1),
        seeds=(0, 1),
        device="cpu",
    )
    summary = trained(tmp_path, experiment)
    assert all(outcome.solved_iteration is not None for outcome in summary.outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "learner",
    [
        {"architecture": LSTM(), "topology": Disconnected(experts=1), "optimizer": Adam(lr=2e-3)},
        {"architecture": GRU(), "optimizer": Adam(lr=1e-3)},
    ],
)
def test_a_common_phase_is_learned_by_halves(tmp_path: Path, learner: dict[str, Any]) -> None:
    """Its targets lie in a plane of which either half is worth 1/2: meta-learners rest there, then solve the task."""
    experiment = Experiment(
        task=Frequency(dims=11), training=Training(iterations=1500), seeds=(0, 1), device="cpu", **learner
    )
    summary = trained(tmp_path, experiment)
    levels = [plateau.mean_loss for outcome in summary.outcomes for plateau in outcome.plateaus]
    assert any(abs(level - 0.5) < 0.03 for level in levels)
    assert not any(0.1 < level < 0.45 or 0.55 < level < 0.9 for level in levels)
    assert all(outcome.final_loss is not None and outcome.final_loss < 0.05 for outcome in summary.outcomes)


def test_golden_run() -> None:
    """GOLDEN: copied from our own output, to notice when what a seed means has changed. Renew it only knowingly.

    1e-3 leaves room for other processors' rounding over 30 iterations.
    """
    experiment = Experiment(
        architecture=GRU(hidden=8, message=4),
        topology=RandomLinks(experts=5, links=2),
        training=Training(iterations=30, batch_size=16, inner_steps=5),
        seeds=(0, 11),
        device="cpu",
    )
    records = list(train(Population(experiment)))
    loss = np.array([record.metrics["loss"] for record in records])
    np.testing.assert_allclose(loss[[0, 29]], GOLDEN, rtol=1e-3)


GOLDEN = [[1.1040167, 1.2986710], [1.0076401, 1.0917010]]
