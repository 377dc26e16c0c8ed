"""The evaluation games: the same games at every measurement, so that only the learner changes between measurements."""

from __future__ import annotations

from functools import cached_property, lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose, RandomStreams
from badger_sweeps.engines.base import Engine
from badger_sweeps.measures.information.conditioning import Conditions, inverse_triangle
from badger_sweeps.measures.information.reduction import Basis, pooled_basis, project
from badger_sweeps.rollout import Games
from badger_sweeps.training.draws import draw_games, initial_weights
from badger_sweeps.training.experiment import Experiment

OUTPUT_COMPONENTS = 4
"""Maximum number of dimensions in which outputs are compared: for more, 1000 games are too few for 16 experts."""
NEGLIGIBLE = 1e-6
"""A principal component of the targets with less than this share of the largest variance is a rounding error."""


class EvaluationGames:
    """Games that no member trains on, and bases and noise that stay fixed over training.

    Every member has its own games, drawn from random numbers of its seed. They depend neither on the other members nor
    on the rest of the configuration, so that games can be drawn for some members, and drawn again.

    Args:
        experiment: the experiment of these members.
        engine: computes the rollouts.
        games: number of games of each member.
        noise: relative variance of the noise floor (`measures.information.noise`).

    Attributes:
        objective: the outer objective with the members' graphs, before any annealing.
        outputs_basis: the basis in which experts' outputs are compared: the first four coordinates of the targets.
        coordinates: the targets in coordinates in which they have a density.
        noise: a function from a number of components to standard normal numbers for the noise floor, always the same.
        basis: a function from a number of components to the principal ones of the hidden states before training.
    """

    def __init__(self, experiment: Experiment, engine: Engine, games: int, noise: float) -> None:
        self.experiment, self.engine, self.noise_share = experiment, engine, noise
        self._count = games
        self.objective = experiment.objective
        self.outputs_basis, self.coordinates = _of_targets(self.games.targets)
        self.noise = lru_cache(maxsize=4)(self._noise)
        self.basis = lru_cache(maxsize=4)(self._basis)

    @cached_property
    def games(self) -> Games:
        """Targets, inputs and initial states."""
        seeds, device = self.experiment.seeds, self.experiment.torch_device
        return draw_games(
            self.experiment,
            self._count,
            RandomBatches.of(seeds, Purpose.EVALUATION_TARGETS, device),
            RandomBatches.of(seeds, Purpose.EVALUATION_STATES, device),
        )

    @cached_property
    def conditions(self) -> Conditions:
        """Functions of the coordinates, for measures to condition on."""
        each = zip(self.coordinates, self._inverses, strict=True)
        bases = [Conditions.on(coordinates, inverse).basis for coordinates, inverse in each]
        return Conditions(torch.stack(bases).to(self.coordinates))

    def release(self) -> None:
        """Free what takes most memory; where it is used again it is drawn or computed again, equal to the bit."""
        self.__dict__.pop("games", None)
        self.__dict__.pop("conditions", None)
        self.noise.cache_clear()

    @cached_property
    def _inverses(self) -> list[Tensor | None]:
        """What each member's `conditions` are computed from."""
        return [inverse_triangle(coordinates) for coordinates in self.coordinates]

    def _noise(self, components: int) -> Float[Tensor, "population game expert component"]:
        experts = self.experiment.topology.experts
        streams = RandomStreams(self.experiment.seeds, Purpose.MEASURES)
        drawn = streams.draw(lambda generator: torch.randn(self._count, experts, components, generator=generator))
        return drawn.to(self.coordinates.device)

    def _basis(self, components: int) -> Basis:
        weights = initial_weights(self.experiment)
        trace = self.engine.rollout(self.objective.at(0), weights, self.games, states=("h",), steps=(-1,))
        return pooled_basis(trace.states["h"][0], components)


def _of_targets(targets: Float[Tensor, "population game dim"]) -> tuple[Basis, Float[Tensor, "population game target"]]:
    """The basis in which outputs are compared, and the targets in coordinates in which they have a density.

    Both are the targets' own coordinates if the targets span their space. If not (targets of the frequency task may lie
    in a plane), they have no density there, and both are along the targets' principal components.
    """
    variances = torch.linalg.eigvalsh(targets.double().mT @ targets.double())
    rank = int((variances > NEGLIGIBLE * variances[:, -1:]).sum(dim=1).amax())
    basis = pooled_basis(targets[:, :, None], rank)
    conditions = project(targets[:, :, None], basis)[:, :, 0]
    return Basis(basis.mean, basis.directions[:, :, :OUTPUT_COMPONENTS]), conditions
