"""The inner loop against the definition, written out expert by expert and game by game."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.reference import Reference
from badger_sweeps.losses.base import Loss
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.readouts.base import Readout
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import Games
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.population import Population

STEPS = 3


def population(loss: Loss, readout: Readout, links: int = 2) -> Population:
    experiment = Experiment(
        architecture=GRU(hidden=5, message=3),
        topology=RandomLinks(experts=4, links=links),
        loss=loss,
        readout=readout,
        training=Training(batch_size=2, inner_steps=STEPS),
        seeds=(3, 8),
        device="cpu",
    )
    return Population(experiment)


def guesses_by_definition(members: Population, games: Games, member: int, game: int) -> list[list[float]]:
    """g after each inner step, one expert at a time, in float64."""
    weights = {name: tensor[member].detach().double() for name, tensor in members.parameters.items()}
    graph = members.experiment.graphs[member].tolist()
    experts, dims = len(graph), games.targets.shape[-1]
    cell = torch.nn.GRUCell(4, 5, dtype=torch.float64)
    cell.load_state_dict({name: weights[name] for name in cell.state_dict()})
    y = games.targets[member, game].double().tolist()
    h = [games.state["h"][member, game, i].double() for i in range(experts)]
    m = [torch.zeros(3, dtype=torch.float64) for _ in range(experts)]
    guess, all_guesses = [0.0] * dims, []
    squares = isinstance(members.experiment.loss, MeanSquaredError)
    for _ in range(STEPS):
        off = [g - t for g, t in zip(guess, y, strict=True)]
        error = sum(3 * d * d for d in off) / dims if squares else sum(2 * abs(d) for d in off) / dims
        received = [sum((m[j] for j in range(experts) if row[j]), torch.zeros(3)) / sum(row) for row in graph]
        x = [torch.cat([message, torch.tensor([error])]).double() for message in received]
        h = [cell(x[i], h[i]) for i in range(experts)]
        out = [weights["weight_out"] @ h[i] + weights["bias_out"] for i in range(experts)]
        m = [o[:3] for o in out]
        share = weights.get("readout_weight", torch.full((experts,), 1 / experts))
        guess = sum(share[i] * out[i][3:] for i in range(experts)).tolist()
        all_guesses.append(guess)
    return all_guesses


@pytest.mark.parametrize("loss", [MeanSquaredError(), MeanAbsoluteError()])
@pytest.mark.parametrize("readout", [Mean(), Weighted()])
def test_rollout_follows_the_definition(loss: Loss, readout: Readout) -> None:
    members = population(loss, readout)
    games = members.draw_games()
    ours = Reference().rollout(members.objective, members.parameters, games).guesses
    for member in range(2):
        for game in range(2):
            expected = torch.tensor(guesses_by_definition(members, games, member, game))
            torch.testing.assert_close(ours[:, member, game], expected, atol=2e-6, rtol=0)


def test_relabelling_experts_changes_nothing() -> None:
    members = population(MeanSquaredError(), Mean())
    games = members.draw_games()
    order = torch.tensor([2, 0, 3, 1])
    relabelled = Games(games.targets, games.inputs, {name: state[:, :, order] for name, state in games.state.items()})
    objective = members.objective
    other = replace(objective, adjacency=objective.adjacency[:, order][:, :, order])
    before = Reference().rollout(objective, members.parameters, games)
    after = Reference().rollout(other, members.parameters, relabelled)
    torch.testing.assert_close(before.guesses, after.guesses, atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss_steps", [1, 2])
def test_gradients_agree_with_finite_differences(loss_steps: int) -> None:
    """Central differences in float64 along a random direction; their error is of order (1e-6)^2."""
    members = population(MeanSquaredError(), Weighted())
    games = members.draw_games()
    objective = replace(members.objective, loss_steps=loss_steps).to(torch.float64)
    parameters = Weights(members.parameters.flat.double(), members.parameters.shapes)
    games = games.to(torch.float64)

    def outer_loss(step: float) -> torch.Tensor:
        moved = Weights(parameters.flat + step * direction, parameters.shapes)
        guesses = Reference().rollout(objective, moved, games).guesses[-loss_steps:]
        return (3 * (guesses - games.targets) ** 2).mean((0, 2, 3)).sum()

    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(parameters.flat.shape, generator=generator, dtype=torch.float64)
    result = Reference().pullback(objective, parameters, games)
    slope = (result.gradients[0] * direction).sum()
    numeric = (outer_loss(1e-6) - outer_loss(-1e-6)) / 2e-6
    assert math.isclose(float(slope), float(numeric), rel_tol=1e-6)


def test_loss_is_that_of_the_last_step_whatever_loss_steps_is() -> None:
    members = population(MeanSquaredError(), Mean())
    games = members.draw_games()
    last, averaged = (
        Reference().pullback(replace(members.objective, loss_steps=steps), members.parameters, games)
        for steps in (1, 3)
    )
    assert torch.equal(last.loss_dim, averaged.loss_dim)
    assert not torch.equal(last.gradients, averaged.gradients)
    torch.testing.assert_close(last.losses.mean(dim=1), last.loss_dim)
    guesses = Reference().rollout(members.objective, members.parameters, games).guesses
    torch.testing.assert_close(averaged.losses, (3 * (guesses - games.targets) ** 2).mean(dim=0))
