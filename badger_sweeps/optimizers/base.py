"""The interface of an optimiser: settings of a PyTorch optimiser of the weights of a population."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated, ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor

Decay = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
"""The decay rate of an exponential moving average."""
Rate = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
"""A learning rate; float32 overflows with rates far above this bound."""

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)


class Optimizer(ABC):
    """Settings from which an optimiser is built.

    Attributes:
        lr: the learning rate, before the schedule's factor.
        elementwise: whether the update of each number depends only on the gradients of that number. One optimiser then
            updates the weights of all members, stacked in one tensor, with the same result as one optimiser for each
            member. Otherwise each member has a separate optimiser of its parameters, with their shapes.
    """

    elementwise: ClassVar[bool] = True

    lr: float

    @abstractmethod
    def build(self, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
        """The optimiser of these tensors: the stacked weights, or one member's parameters."""


def without_compiler(kind: type[Kind]) -> type[Kind]:
    """A subclass of one of `torch.optim`'s optimisers without the decorators that disable TorchDynamo in its methods.

    These decorators import the compiler, which is not used here, and which adds a second or two to every start.
    """
    names = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), {**plain, "step": torch.no_grad()(inspect.unwrap(kind.step))})
