"""The evaluation set: the same games at every measurement, so that what changes is the learner."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, RandomStreams
from badger_sweeps.engines.base import Engine
from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.reduction import Basis, pooled_basis, project
from badger_sweeps.training.draws import draw_games, initial_weights
from badger_sweeps.training.experiment import Experiment

OUTPUT_COMPONENTS = 4
"""Dimensions in which outputs are compared: with more, 1000 games are too few for 16 experts."""
NEGLIGIBLE = 1e-6
"""A principal component of the targets below this share of the largest variance is rounding."""


class EvaluationSet:
    """Games that no member trains on, and all else that measurements share over training.

    Every member has games of its own, drawn from streams of its own seed: what it is measured on depends on no other
    member and not on the rest of the configuration.

    Args:
        experiment: who plays what.
        engine: plays them.
        games: how many each member has.
        noise: relative variance of the noise floor (`measures.information.noise`).

    Attributes:
        games: the questions and initial states.
        objective: what is trained, with the members' graphs; nothing in it is annealed yet.
        outputs_basis: where experts' outputs are compared: the first four coordinates of the targets.
        coordinates: the targets, as numbers that have a density.
        conditions: the same, for measures to condition on.
        noise: by a number of components, standard normal numbers for the noise floor: always the same.
        basis: by a number of components, the principal ones of the hidden states before training.
    """

    def __init__(self, experiment: Experiment, engine: Engine, games: int, noise: float) -> None:
        self.experiment, self.engine, self.noise_share = experiment, engine, noise
        device = experiment.torch_device
        self.games = draw_games(
            experiment,
            games,
            RandomStreams(experiment.seeds, Purpose.EVALUATION_TARGETS, device),
            RandomStreams(experiment.seeds, Purpose.EVALUATION_STATES, device),
        )
        self.objective = experiment.objective
        self.outputs_basis, self.coordinates = _of_targets(self.games.targets)
        self.conditions = Conditions.on(self.coordinates)
        self.noise = lru_cache(maxsize=4)(self._noise)
        self.basis = lru_cache(maxsize=4)(self._basis)

    def _noise(self, components: int) -> Float[Tensor, "population game expert component"]:
        games, experts = self.games.targets.shape[1], self.experiment.topology.experts
        streams = RandomStreams(self.experiment.seeds, Purpose.MEASURES)
        drawn = streams.draw(lambda own: torch.randn(games, experts, components, generator=own))
        return drawn.to(self.games.targets.device)

    def _basis(self, components: int) -> Basis:
        weights = initial_weights(self.experiment)
        trace = self.engine.rollout(self.objective.at(0), weights, self.games, states=("h",), steps=(-1,))
        return pooled_basis(trace.states["h"][0], components)


def _of_targets(targets: Float[Tensor, "population game dim"]) -> tuple[Basis, Float[Tensor, "population game target"]]:
    """The basis in which outputs are compared, and the targets in coordinates that have a density.

    Where targets fill their space both are the targets' own coordinates. Where they do not (those of the frequency
    task may lie in a plane), they have no density and are taken along their principal components.
    """
    variances = torch.linalg.eigvalsh(targets.double().mT @ targets.double())
    rank = int((variances > NEGLIGIBLE * variances[:, -1:]).sum(dim=1).amax())
    basis = pooled_basis(targets[:, :, None], rank)
    conditions = project(targets[:, :, None], basis)[:, :, 0]
    return Basis(basis.mean, basis.directions[:, :, :OUTPUT_COMPONENTS]), conditions
