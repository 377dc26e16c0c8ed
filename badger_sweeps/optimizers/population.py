"""An optimiser of a whole population: every member is updated as it would be alone."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from badger_sweeps.core.weights import Weights
from badger_sweeps.optimizers.base import Optimizer


class PopulationOptimizer:
    """Updates weights in place, given gradients.

    Args:
        settings: which optimiser.
        weights: of all members; the optimiser keeps to this tensor.
    """

    def __init__(self, settings: Optimizer, weights: Weights) -> None:
        self._weights, self._elementwise = weights, settings.elementwise
        # A member's parameters are tensors of their own: how a sum over a view is rounded depends on where it begins in
        # memory, and with that on which members came before.
        own = [[weights.flat]] if self._elementwise else [_cloned(member) for member in _members(weights)]
        self._optimizers = [(parameters, settings.build(parameters)) for parameters in own]

    def step(
        self, gradient: Float[Tensor, "population weight"], rate: float, alive: Bool[Tensor, " population"]
    ) -> None:
        """One step of every member that is alive.

        Args:
            gradient: of each member's weights; those of members that are not alive are not looked at.
            rate: the learning rate of this iteration.
            alive: what is done to the weights of the others is for the caller to undo.
        """
        if self._elementwise:
            (((parameter,), optimizer),) = self._optimizers
            # Zero, not NaN, for members that are not alive: a NaN would stay in the optimiser's moments for ever.
            parameter.grad = gradient.masked_fill(~alive[:, None], 0)
            _step(optimizer, rate)
            return
        gradients = _members(Weights(gradient, self._weights.shapes))
        members = zip(_members(self._weights), gradients, self._optimizers, alive.tolist(), strict=True)
        for views, its_gradients, (parameters, optimizer), due in members:
            if not due:
                continue
            for parameter, view, its_gradient in zip(parameters, views, its_gradients, strict=True):
                parameter.copy_(view)
                parameter.grad = its_gradient.clone(memory_format=torch.contiguous_format)
            _step(optimizer, rate)
            for parameter, view in zip(parameters, views, strict=True):
                view.copy_(parameter)

    def state_dict(self) -> dict[str, Any]:
        """What the optimisers remember: one of all members, or each member's own."""
        return {"optimizers": [optimizer.state_dict() for _, optimizer in self._optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        for (_, optimizer), saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def _members(weights: Weights) -> list[list[Tensor]]:
    """Views of each member's parameters, in order."""
    return [[tensor[member] for tensor in weights.values()] for member in range(len(weights.flat))]


def _cloned(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.clone(memory_format=torch.contiguous_format) for tensor in tensors]


def _step(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
