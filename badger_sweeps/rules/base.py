"""The interface of an update rule: new weights from the weights, a batch of games and the rule's state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from badger_sweeps.aggregators.base import Aggregator
from badger_sweeps.core.columns import Column
from badger_sweeps.core.random_streams import Purpose, RandomStreams
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import Engine
from badger_sweeps.optimizers.base import Optimizer
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games

RECORDED = ("seed", "iteration", "loss", "diverged")
"""Names that the training loop records itself."""
RuleState = Mapping[str, Any]
"""A rule's state, by name: tensors, and objects with `state_dict` and `load_state_dict` (such as `RandomStreams`)."""


class Start(NamedTuple):
    """Arguments of `Rule.initial_state`, before the first iteration."""

    seeds: tuple[int, ...]
    """The members' seeds."""
    weights: Weights
    """The weights before training; the same tensor holds them in every iteration."""
    optimizer: Optimizer
    """Settings of the optimiser, for rules that have one."""

    def streams(self, purpose: Purpose = Purpose.RULE) -> RandomStreams:
        """A random stream for each member, on the weights' device."""
        return RandomStreams(self.seeds, purpose, self.weights.flat.device)


class Step(NamedTuple):
    """Arguments of `Rule.update`, for one outer iteration."""

    iteration: int
    weights: Weights
    """The weights of all members after the previous iteration."""
    active: Bool[Tensor, " population"]
    """The members that still train; the results of the others are not used."""
    objective: OuterObjective
    """The outer objective, annealed to this iteration."""
    games: Games
    """This iteration's batch."""
    engine: Engine
    learning_rate: float
    """The optimiser's learning rate, times the schedule's factor."""
    aggregator: Aggregator
    clip_norm: float | None


class Steps(NamedTuple):
    """Arguments of `Rule.several`, for consecutive outer iterations."""

    first: Step
    """The first of them; its games are not used."""
    objectives: Sequence[OuterObjective]
    """The outer objective of each iteration, annealed."""
    games: Games
    """The batches of all iterations, with iteration and member on one axis, all members of an iteration together."""
    rates: Sequence[float]
    """The learning rate of each iteration."""

    def at(self, position: int, active: Bool[Tensor, " population"]) -> Step:
        """One of the iterations; `active` are the members that still train in it."""
        members = len(active)
        return self.first._replace(
            iteration=self.first.iteration + position,
            active=active,
            objective=self.objectives[position],
            games=self.games.of(slice(position * members, (position + 1) * members)),
            learning_rate=self.rates[position],
        )


class Updates(NamedTuple):
    """The result of `Rule.several`: `Update`s with the axis iteration in front. The weights were changed in place.

    The values of a member after the iteration in which it diverged have no meaning.
    """

    state: RuleState
    loss_dim: Float[Tensor, "iteration population dim"]
    metrics: Mapping[str, Float[Tensor, "iteration population"]]
    alive: Bool[Tensor, "iteration population"]
    evaluations: int
    """The cost of each iteration for each member."""


class Update(NamedTuple):
    """The result of `Rule.update`."""

    weights: Float[Tensor, "population weight"]
    """Each member's new weights, flat; may be the given tensor, changed in place. Those of members that are not alive
    are not used."""
    state: RuleState
    """The rule's new state, with the names of the initial one; may be the given state, changed in place."""
    loss_dim: Float[Tensor, "population dim"]
    """The normalised error after the last inner step in each dimension, mean over the batch, at the weights before
    the update: `loss_dim` of the engine's result."""
    metrics: Mapping[str, Float[Tensor, " population"]]
    """The metrics named in `Rule.metrics`."""
    alive: Bool[Tensor, " population"]
    """False for members that diverged in this iteration. The rule defines divergence; a loss that is not finite always
    counts."""
    evaluations: int | Int[Tensor, " population"]
    """The cost of the iteration for each member, in rollouts of its batch: 1 forward only, 3 with its gradient.
    A rule that evaluates many points of weight space for each member counts them all."""


class Rule(ABC):
    """Settings of an update rule; `update` is its one outer iteration, for all members at once.

    A member must compute the same run in any population: a rule draws from each member's random stream
    (`Start.streams`), and no member's result may depend on another member.

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
        """The rule's state before the first iteration; empty unless overridden."""
        return {}

    @abstractmethod
    def update(self, step: Step, state: RuleState) -> Update:
        """One outer iteration."""

    def several(self, steps: Steps, state: RuleState) -> Updates | None:
        """Several outer iterations at once; None, unless overridden: `update` is called for each of them.

        The results must be those of as many calls of `several` for one iteration, to the bit.
        """
        return None


def finite(loss_dim: Float[Tensor, "population dim"], *more: Tensor) -> Bool[Tensor, " population"]:
    """Whether a member's losses, and its entries of the tensors `more` (population axis first), are all finite."""
    alive = loss_dim.isfinite().all(dim=1)
    for tensor in more:
        alive = alive & tensor.isfinite().flatten(1).all(dim=1) if tensor.ndim > 1 else alive & tensor.isfinite()
    return alive
