"""An optimiser of a whole population: every member is updated as it would be alone."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from badger_sweeps.foundations.weights import Weights
from badger_sweeps.optimizers.base import Optimizer


class PopulationOptimizer:
    """Updates weights in place, given gradients.

    Args:
        settings: which optimiser.
        weights: of all members; the optimiser keeps to this tensor.
    """

    def __init__(self, settings: Optimizer, weights: Weights) -> None:
        self._weights, self._elementwise = weights, settings.elementwise
        if self._elementwise:
            self._parameters = [[weights.flat]]
        else:
            members = range(len(weights.flat))
            self._parameters = [[tensor[member] for tensor in weights.values()] for member in members]
        self._optimizers = [settings.build(own) for own in self._parameters]

    def step(
        self, gradient: Float[Tensor, "population weight"], rate: float, alive: Bool[Tensor, " population"]
    ) -> None:
        """One step of every member that is alive.

        Args:
            gradient: of each member's weights; those of members that are not alive are not looked at.
            rate: the learning rate of this iteration.
            alive: the others' weights and moments stay finite, and what is done to the weights is for the caller to undo.
        """
        # Zero, not NaN, for members that are not alive: a NaN would stay in the optimiser's moments for ever.
        gradient = gradient.masked_fill(~alive[:, None], 0)
        steps = [True] if self._elementwise else alive.tolist()
        own = [[gradient]] if self._elementwise else self._cut(gradient)
        for optimizer, parameters, gradients, due in zip(self._optimizers, self._parameters, own, steps, strict=True):
            if not due:
                continue
            for parameter, its_gradient in zip(parameters, gradients, strict=True):
                parameter.grad = its_gradient
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()

    def _cut(self, gradient: Float[Tensor, "population weight"]) -> list[list[Tensor]]:
        """Each member's gradient as its parameters are shaped."""
        shaped = Weights(gradient, self._weights.shapes)
        return [[tensor[member] for tensor in shaped.values()] for member in range(len(gradient))]

    def state_dict(self) -> dict[str, Any]:
        """What the optimisers remember: one of all members, or each member's own."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self._optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
