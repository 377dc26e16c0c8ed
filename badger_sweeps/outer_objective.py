"""The outer objective, which training minimises, as one object with one pure function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.rollout import Games, System, unroll


@dataclass(frozen=True, eq=False)
class OuterObjective:
    """The normalised error of a population's guesses, as a function of weights and games.

    The object holds everything else that the error depends on. `losses` is made of torch operations without side
    effects, so that `torch.func` and autograd can compose with it; its mean over games and dimensions is a member's
    outer loss.

    Attributes:
        system: the learner and its task.
        adjacency: the normalised adjacency matrix of each member's graph; a population axis of length 1 is one graph
            for all members.
        inner_steps: number of guesses in a game.
        loss_steps: number of guesses, the last ones, over which the error is averaged.

    Raises:
        ValueError: `loss_steps` is not from 1 to `inner_steps`.
    """

    system: System
    adjacency: Float[Tensor, "population expert expert"]
    inner_steps: int
    loss_steps: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.loss_steps <= self.inner_steps:
            raise ValueError(f"`loss_steps` must be from 1 to {self.inner_steps}; found {self.loss_steps}")

    def at(self, iteration: int) -> OuterObjective:
        """The objective at one outer iteration: annealed settings have the value of that iteration."""
        return replace(self, system=self.system.at(iteration))

    def of(self, members: slice | Int[Tensor, " member"]) -> OuterObjective:
        """The objective of some members; a shared graph stays shared."""
        return self if len(self.adjacency) == 1 else replace(self, adjacency=self.adjacency[members])

    def to(self, dtype: torch.dtype) -> OuterObjective:
        """The objective in another floating-point type, for weights and games of that type."""
        return replace(self, adjacency=self.adjacency.to(dtype))

    def unroll(
        self, parameters: Parameters, games: Games
    ) -> Iterator[tuple[State, Float[Tensor, "population game dim"]]]:
        """The learners' state and guess after each inner step; `parameters` gives the number of members."""
        population = len(next(iter(parameters.values())))
        adjacency = self.adjacency.expand(population, -1, -1)
        return unroll(self.system, parameters, adjacency, games.expanded(population), self.inner_steps)

    def errors(self, parameters: Parameters, games: Games) -> Float[Tensor, "step population game dim"]:
        """The normalised error after each of the last `loss_steps` guesses."""
        guesses = torch.stack([guess for _, guess in self.unroll(parameters, games)][-self.loss_steps :])
        return self.system.error(guesses, games.targets)

    def losses(self, parameters: Parameters, games: Games) -> Float[Tensor, "population game dim"]:
        """The outer loss of each member, game and dimension: `errors` averaged over guesses."""
        return self.errors(parameters, games).mean(dim=0)
