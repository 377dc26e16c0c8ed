"""What an update rule is: new weights out of the weights, a batch of games and what the rule remembers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from badger_sweeps.aggregators.base import Aggregator
from badger_sweeps.core.columns import Column
from badger_sweeps.core.random_streams import Purpose, Streams
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import Engine
from badger_sweeps.optimizers.base import Optimizer
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games

RECORDED = ("seed", "iteration", "loss", "diverged")
"""What the loop records by itself."""
RuleState = Mapping[str, Any]
"""What a rule remembers, by name: tensors, and objects with `state_dict` and `load_state_dict` (`Streams` is one)."""


class Start(NamedTuple):
    """What a rule may use to set up its state before the first iteration."""

    seeds: tuple[int, ...]
    """The members'."""
    weights: Weights
    """Before training; the same tensor holds them in every iteration."""
    optimizer: Optimizer
    """Settings of the optimiser, for rules that have one."""

    def streams(self, purpose: Purpose = Purpose.RULE) -> Streams:
        """A stream of random numbers for each member, on the weights' device."""
        return Streams(self.seeds, purpose, self.weights.flat.device)


class Step(NamedTuple):
    """What a rule is given in one outer iteration."""

    iteration: int
    weights: Weights
    """Of all members, as they were left by the iteration before."""
    active: Bool[Tensor, " population"]
    """The members that still train; what is computed of the others is not used."""
    objective: OuterObjective
    """What is minimised, as it is in this iteration."""
    games: Games
    """This iteration's batch."""
    engine: Engine
    learning_rate: float
    """The optimiser's, times the schedule's factor."""
    aggregator: Aggregator
    clip_norm: float | None


class Update(NamedTuple):
    """What a rule makes of it."""

    weights: Float[Tensor, "population weight"]
    """Each member's, flat; may be the ones given, changed in place. Members that are not alive stay as they were."""
    state: RuleState
    """What the rule remembers now, under the names it began with; may be the state given, changed in place."""
    loss_dim: Float[Tensor, "population dim"]
    """The normalised error after the last inner step in each dimension, mean over the batch, at the weights that the
    iteration started with: `loss_dim` of what the engine gives."""
    metrics: Mapping[str, Float[Tensor, " population"]]
    """The rule's own, by the names in `Rule.metrics`."""
    alive: Bool[Tensor, " population"]
    """Whether a member has not diverged in this iteration: what that is, the rule says; losses that are not finite are
    always."""
    evaluations: int | Int[Tensor, " population"]
    """What the iteration cost each member, in rollouts of its batch: forward only 1, with its gradient 3 (`cost`). A
    rule that plays many points for each member counts them all."""


class Rule(ABC):
    """Settings of an update rule; `update` is its one outer iteration, for all members at once.

    A member must be the same run in any population: what a rule draws, it draws from the members' own streams
    (`Start.streams`), and no member's numbers may reach another's.

    Attributes:
        metrics: what it measures in each iteration (`core.columns.metric`): columns of the history and of W&B, and
            panels of reports. No slashes in their names, which are in those of what is measured now and then.
        aggregates: whether it makes one gradient of the dimensions' by `Step.aggregator`.
    """

    metrics: ClassVar[tuple[Column, ...]] = ()
    aggregates: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in (column.name for column in cls.metrics):
            if "/" in name or name in RECORDED:
                taken = f"without a slash that is none of {', '.join(RECORDED)}"
                raise TypeError(f"`{cls.__name__}.metrics` must be names {taken}; found {name!r}")

    def initial_state(self, start: Start) -> RuleState:
        """What the rule remembers before the first iteration: nothing, unless it says so."""
        return {}

    @abstractmethod
    def update(self, step: Step, state: RuleState) -> Update:
        """One outer iteration."""


def finite(loss_dim: Float[Tensor, "population dim"], *more: Tensor) -> Bool[Tensor, " population"]:
    """Whether a member's losses are finite, and all else that is given of it, the population axis first."""
    alive = loss_dim.isfinite().all(dim=1)
    for tensor in more:
        alive = alive & tensor.isfinite().flatten(1).all(dim=1) if tensor.ndim > 1 else alive & tensor.isfinite()
    return alive
