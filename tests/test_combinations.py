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
SINGLE_AGENT = {"lstm", "lstm_quantized", "supervised_lstm"}
SUPERVISED = {"supervised_lstm"}
"""By name, so that what the classes say of themselves is tested as well."""
WORLDS = list(product(choices_of("task"), choices_of("loss"), choices_of("readout"), choices_of("feedback")))
ALL_FEEDBACK = ("random", "single")
"""Topologies with which every feedback is tried: a feedback does not depend on the graph."""


def composes(architecture: str, topology: str, task: str, readout: str, feedback: str) -> bool:
    """Single agents have neither a graph nor guesses to weigh; a supervised learner is trained with the phases of the
    frequency task, and gets no feedback."""
    if architecture in SINGLE_AGENT and (topology, readout) != ("single", "mean"):
        return False
    return architecture not in SUPERVISED or (task, feedback) == ("frequency", "same")


def experiment(
    architecture: str, topology: str, task: str, loss: str, readout: str, feedback: str, seeds: tuple[int, ...]
) -> Experiment:
    inner_steps = 1 if architecture in SUPERVISED else 3
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
        block = members.advance()
        assert block.loss_dim.shape == (1, len(setup.seeds), setup.task.dims)
        losses.append(block.loss_dim[0].mean(dim=1))
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
    """Finite losses; gradients for every single weight (for some of each tensor where no expert is connected, so that
    messages reach none); and each member as it would be alone, up to the rounding of five iterations of float32."""
    setup = experiment(architecture, topology, task, loss, readout, feedback, SEEDS)
    members = Population(setup)
    losses, reached = train(members)
    assert losses.shape == (ITERATIONS, len(SEEDS))
    assert losses.isfinite().all()
    for position, seed in enumerate(SEEDS):
        connected = members.objective.adjacency[position].any()
        for name, sums in reached.items():
            reaches = sums[position] > 0
            assert reaches.all() if connected or setup.architecture.single_agent else reaches.any(), (
                task,
                loss,
                readout,
                feedback,
                name,
            )
        alone, _ = train(Population(experiment(architecture, topology, task, loss, readout, feedback, (seed,))))
        torch.testing.assert_close(losses[:, position], alone[:, 0], rtol=1e-4, atol=1e-5)
