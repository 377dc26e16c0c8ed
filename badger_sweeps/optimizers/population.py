"""An optimiser of a whole population, which updates every member as a separate optimiser would."""

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
        settings: those of the optimiser.
        weights: the weights of all members, which each step changes in place.

    Attributes:
        settings: those of the optimiser.
    """

    def __init__(self, settings: Optimizer, weights: Weights) -> None:
        self.settings = settings
        self._weights, self._elementwise = weights, settings.elementwise
        # A member's parameters are copies: the rounding of a sum over a view depends on where the view begins in
        # memory, and therefore on the number of members before it.
        tensors = [[weights.flat]] if self._elementwise else [_cloned(member) for member in _members(weights)]
        self._optimizers = [(parameters, settings.build(parameters)) for parameters in tensors]

    def step(
        self, gradient: Float[Tensor, "population weight"], rate: float, alive: Bool[Tensor, " population"]
    ) -> None:
        """One step of every member that is alive.

        Args:
            gradient: the gradient of each member's weights; those of members that are not alive are not used.
            rate: the learning rate of this iteration.
            alive: the members to update; the caller must restore the weights of the others, which may change, too.
        """
        if self._elementwise:
            (((parameter,), optimizer),) = self._optimizers
            # Zero, not NaN, for members that are not alive: a NaN would stay in the optimiser's moments.
            parameter.grad = gradient.masked_fill(~alive[:, None], 0)
            _step(optimizer, rate)
            return
        gradients = _members(Weights(gradient, self._weights.shapes))
        members = zip(_members(self._weights), gradients, self._optimizers, alive.tolist(), strict=True)
        for views, member_gradients, (parameters, optimizer), is_alive in members:
            if not is_alive:
                continue
            for parameter, view, part in zip(parameters, views, member_gradients, strict=True):
                parameter.copy_(view)
                parameter.grad = part.clone(memory_format=torch.contiguous_format)
            _step(optimizer, rate)
            for parameter, view in zip(parameters, views, strict=True):
                view.copy_(parameter)

    def elementwise_state(self) -> dict[str, Tensor]:
        """The state of an elementwise optimiser by PyTorch's names, for engines that take steps themselves.

        The tensors may be changed in place. Before the first step it is empty; what is added to it is kept.
        """
        (((parameter,), optimizer),) = self._optimizers
        state: dict[str, Tensor] = optimizer.state[parameter]
        return state

    def state_dict(self) -> dict[str, Any]:
        """The states of the optimisers: of the one of all members, or of each member's."""
        return {"optimizers": [optimizer.state_dict() for _, optimizer in self._optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`."""
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
