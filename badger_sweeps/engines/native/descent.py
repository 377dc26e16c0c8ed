"""The optimisers that the kernel implements, for iterations of gradient descent that it computes by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.optimizers.adamw import AdamW
from badger_sweeps.optimizers.population import PopulationOptimizer
from badger_sweeps.optimizers.rmsprop import RMSprop
from badger_sweeps.optimizers.sgd import SGD

KERNEL_SGD, KERNEL_ADAM, KERNEL_RMSPROP = range(3)
"""``enum Optimizer`` of ``kernel/descent.h``."""


class _Rule(NamedTuple):
    """An optimiser as the kernel needs it."""

    numbers: Mapping[str, float]
    """The fields of ``Descent`` that describe it."""
    first: str | None
    """The name of the first moment in the state of PyTorch's optimiser; None if it has none."""
    second: str | None = None


def _rule(optimizer: int, first_decay: float, second_decay: float = 0, epsilon: float = 0, weight_decay: float = 0,
          first: str | None = None, second: str | None = None) -> _Rule:  # fmt: skip
    numbers = {
        "optimizer": optimizer,
        "first_decay": first_decay,
        "second_decay": second_decay,
        "epsilon": epsilon,
        "weight_decay": weight_decay,
    }
    return _Rule(numbers, first, second)


def _adam(settings: Adam | AdamW) -> _Rule:
    decay = settings.weight_decay if isinstance(settings, AdamW) else 0
    betas = (settings.beta1, settings.beta2)
    return _rule(KERNEL_ADAM, *betas, settings.eps, decay, first="exp_avg", second="exp_avg_sq")


def _rmsprop(settings: RMSprop) -> _Rule:
    second = "momentum_buffer" if settings.momentum else None
    decays = (settings.alpha, settings.momentum)
    return _rule(KERNEL_RMSPROP, *decays, settings.eps, first="square_avg", second=second)


def _sgd(settings: SGD) -> _Rule:
    return _rule(KERNEL_SGD, settings.momentum, first="momentum_buffer" if settings.momentum else None)


RULES: dict[type, Callable[[Any], _Rule]] = {Adam: _adam, AdamW: _adam, RMSprop: _rmsprop, SGD: _sgd}
"""Types are compared exactly: a subclass may build another optimiser."""
COUNTED = (Adam, AdamW, RMSprop)
"""Those whose state counts steps."""


class KernelOptimizer:
    """An optimiser whose steps the kernel takes, on the state of PyTorch's optimiser.

    Args:
        optimizer: one of a type in `RULES`.

    Attributes:
        numbers: the fields of ``Descent`` that describe it.
        moments: its moments by name of the kernel's array; the kernel changes them.
    """

    def __init__(self, optimizer: PopulationOptimizer, weights: Tensor) -> None:
        rule = RULES[type(optimizer.settings)](optimizer.settings)
        self._state = optimizer.elementwise_state()
        if not self._state and type(optimizer.settings) in COUNTED:
            self._state["step"] = torch.zeros(())
        names = {"first_moment": rule.first, "second_moment": rule.second}
        for name in filter(None, names.values()):
            if self._state.get(name) is None:
                self._state[name] = torch.zeros_like(weights)
        self.numbers = {**rule.numbers, "done": int(self._state["step"]) if "step" in self._state else 0}
        self.moments = {array: self._state[name] for array, name in names.items() if name}

    def count(self, iterations: int) -> None:
        """Count the steps that the kernel has taken."""
        if "step" in self._state:
            self._state["step"] += iterations


def known(optimizer: PopulationOptimizer) -> bool:
    """Whether the kernel implements the optimiser."""
    return type(optimizer.settings) in RULES
