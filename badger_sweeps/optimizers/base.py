"""What an optimiser is here: an element-wise update rule from `torch.optim`."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated, TypeVar

import torch
from pydantic import Field
from torch import Tensor

Decay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
"""The share of the past in a running mean."""
Rate = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
"""A learning rate; far beyond this bound float32 overflows."""

Rule = TypeVar("Rule", bound=torch.optim.Optimizer)


class Optimizer(ABC):
    """Settings from which a `torch.optim` optimiser is built over a population's stacked weights.

    Only element-wise rules qualify: each number's update depends on that number's own history, so that the
    members of a population, stacked in one tensor, are updated exactly as they would be alone.

    Attributes:
        lr: the learning rate, before the schedule's factor.
    """

    lr: float

    @abstractmethod
    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The optimiser over these weights."""


def without_compiler(rule: type[Rule]) -> type[Rule]:
    """One of `torch.optim`'s optimisers, without what tells TorchDynamo to leave it alone.

    These decorators import the compiler, which nobody here uses, and which takes a second or two of every start.
    """
    names = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    plain = {name: inspect.unwrap(getattr(rule, name)) for name in names}
    return type(rule.__name__, (rule,), {**plain, "step": torch.no_grad()(inspect.unwrap(rule.step))})
