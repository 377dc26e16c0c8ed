"""An engine that wraps a population's engine, and records and may change its results."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import FORWARD, Engine, Losses, Pullback, cost
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games
from badger_sweeps.training.population import Population


class Between:
    """Takes the place of a population's engine.

    Attributes:
        found: the last pullback.
        spent: what all calls have cost each member, in rollouts.
    """

    def __init__(self, members: Population, change: Callable[[Tensor], object] = lambda gradients: None) -> None:
        self._engine: Engine = members.engine
        self._members = len(members.experiment.seeds)
        self._change = change
        self.found: Pullback | None = None
        self.spent = 0
        members.engine = self  # type: ignore[assignment]

    def pullback(self, *given: object) -> Pullback:
        self.found = self._engine.pullback(*given)  # type: ignore[arg-type]
        self.spent += cost(len(self.found.gradients))
        self._change(self.found.gradients)
        return self.found

    def descend(self, *_: object) -> None:
        """All gradients pass through `pullback`."""
        return

    def losses(self, objective: OuterObjective, parameters: Weights, games: Games) -> Losses:
        """Of as many points of weight space for each member as there are."""
        self.spent += FORWARD * len(parameters.flat) // self._members
        return self._engine.losses(objective, parameters, games)
