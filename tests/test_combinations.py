"""Every architecture with every task, topology, loss and readout: it trains, or it is refused for a reason."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from jaxtyping import Float
from pydantic import ValidationError
from torch import Tensor

from badger_sweeps.core.settings import explain
from badger_sweeps.core.weights import Weights
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.population import Population
from tests.choices import choices_of, small
from tests.engines.between import Between

ITERATIONS, SEEDS = 5, (3, 8)
PAIRS = list(product(choices_of("architecture"), choices_of("topology")))
STUDY = {
    "gru": (False, False),
    "exponential": (False, False),
    "tcnn": (False, False),
    "lstm": (True, False),
    "lstm_quantized": (True, False),
    "supervised_lstm": (True, True),
}
WORLDS = list(product(choices_of("task"), choices_of("loss"), choices_of("readout"), choices_of("feedback")))
ALL_FEEDBACK = ("random", "single")
"""Topologies with which every feedback is tried: what is told does not know of graphs."""


def composes(architecture: str, topology: str, task: str, readout: str, feedback: str) -> bool:
    """The rule, told once more: a learner without experts has no graph and nothing to weigh; one that is told the
    phase needs a task with a phase, and is told no error."""
    learner = small("architecture", architecture)
    if learner.single_agent and (topology != "single" or readout != "mean"):
        return False
    return not learner.supervised or (task == "frequency" and feedback == "same")


def test_which_learners_stand_alone() -> None:
    kinds = {name: (small("architecture", name).single_agent, small("architecture", name).supervised) for name in STUDY}
    assert kinds == STUDY


def experiment(
    architecture: str, topology: str, task: str, loss: str, readout: str, feedback: str, seeds: tuple[int, ...]
) -> Experiment:
    inner_steps = 1 if small("architecture", architecture).supervised else 3
    return Experiment(
        architecture=small("architecture", architecture),
        topology=small("topology", topology),
        task=small("task", task),
        loss=small("loss", loss),
        readout=small("readout", readout),
        feedback=small("feedback", feedback),
        training=Training(batch_size=4, inner_steps=inner_steps, iterations=ITERATIONS),
        seeds=seeds,
        device="cpu",
    )


def train(members: Population) -> tuple[Float[Tensor, "iteration population"], dict[str, Tensor]]:
    """The losses of a few iterations, and the sum of the gradients' magnitudes."""
    setup, engine = members.experiment, Between(members)
    losses, reached = [], torch.zeros_like(members.parameters.flat)
    while not members.finished:
        update = members.advance()
        assert update.loss_dim.shape == (len(setup.seeds), setup.task.dims)
        losses.append(update.loss_dim.mean(dim=1))
        assert engine.found is not None
        reached += engine.found.gradients.abs().sum(dim=0)
    return torch.stack(losses), dict(Weights(reached, members.parameters.shapes))


@pytest.mark.parametrize(("architecture", "topology"), PAIRS)
def test_it_trains_or_is_refused(architecture: str, topology: str) -> None:
    for task, loss, readout, feedback in WORLDS:
        if feedback != "same" and topology not in ALL_FEEDBACK:
            continue
        if composes(architecture, topology, task, readout, feedback):
            check_training(architecture, topology, task, loss, readout, feedback)
        else:
            with pytest.raises(ValidationError) as refused:
                experiment(architecture, topology, task, loss, readout, feedback, SEEDS)
            line = explain(refused.value)
            assert "\n" not in line
            assert f"with {type(small('architecture', architecture)).__name__}, " in line


def check_training(architecture: str, topology: str, task: str, loss: str, readout: str, feedback: str) -> None:
    """Finite losses; gradients for every single weight (for some of each tensor where nobody listens and messages are
    for nothing); and each member as it would be alone, up to the rounding of five iterations of float32."""
    setup = experiment(architecture, topology, task, loss, readout, feedback, SEEDS)
    members = Population(setup)
    losses, reached = train(members)
    assert losses.shape == (ITERATIONS, len(SEEDS))
    assert losses.isfinite().all()
    for position, seed in enumerate(SEEDS):
        heard = members.objective.adjacency[position].any()
        for name, sums in reached.items():
            reaches = sums[position] > 0
            assert reaches.all() if heard or setup.architecture.single_agent else reaches.any(), (
                task,
                loss,
                readout,
                feedback,
                name,
            )
        alone, _ = train(Population(experiment(architecture, topology, task, loss, readout, feedback, (seed,))))
        torch.testing.assert_close(losses[:, position], alone[:, 0], rtol=1e-4, atol=1e-5)
