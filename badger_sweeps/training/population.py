"""A population in training: the weights, graphs and random numbers of its members, and the state of the update rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.rollout import Games
from badger_sweeps.rules.base import Rule, RuleState, Start, Step, Steps, Updates, finite
from badger_sweeps.training.draws import draw_games, initial_weights
from badger_sweeps.training.experiment import Experiment

DRAWN_AHEAD = 64
"""Most iterations whose targets are drawn at once: that takes hardly longer than to draw those of one."""
DRAWN_NUMBERS = 2**20
"""Most numbers that are drawn ahead, about."""


class Iterations(NamedTuple):
    """Consecutive outer iterations of all members. The values of a member after its last iteration have no meaning."""

    first: int
    """The first iteration."""
    loss_dim: Float[Tensor, "iteration population dim"]
    """The normalised error after the last inner step, at the weights before the update."""
    metrics: Mapping[str, Float[Tensor, "iteration population"]]
    """Those of the update rule."""
    active: Bool[Tensor, "iteration population"]
    """The members that took part."""
    alive: Bool[Tensor, "iteration population"]
    """The members that train on."""
    evaluations: Int[Tensor, "iteration population"]
    """The cost of each member up to and including the iteration."""

    def until(self, count: int) -> Iterations:
        """The first `count` iterations."""
        metrics = {name: values[:count] for name, values in self.metrics.items()}
        tensors = (self.active[:count], self.alive[:count], self.evaluations[:count])
        return Iterations(self.first, self.loss_dim[:count], metrics, *tensors)


class Population:
    """All members of an experiment, as tensors with a leading population axis.

    A member computes the same run in any population: its random numbers follow from its seed, and it does not depend on
    other members (up to float rounding, since matrix products over more members may be summed in another order).

    Attributes:
        iteration: number of outer iterations done.
        engine: the engine that computes the experiment.
        engine_description: its name and the reason for it, for the user.
        objective: the outer objective, before annealing.
        parameters: the weights.
        rule_state: the state of the update rule.
        active: the members that still train; the weights of a member that has diverged, as the rule defines it, stay.
        evaluations: the cost of each member so far, in rollouts of a batch: 1 forward only, 3 with its gradient.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.device = device = experiment.torch_device
        self.iteration = 0
        members = len(experiment.seeds)
        self.active: Bool[Tensor, " population"] = torch.ones(members, dtype=torch.bool, device=device)
        self.evaluations: Int[Tensor, " population"] = torch.zeros(members, dtype=torch.int64, device=device)
        self.parameters = initial_weights(experiment)
        self.objective = experiment.objective
        self.engine, self.engine_description = experiment.engine.resolve(experiment.system, device)
        start = Start(experiment.seeds, self.parameters, experiment.optimizer)
        self.rule_state: RuleState = experiment.rule.initial_state(start)
        for name, value in self.rule_state.items():
            if not isinstance(value, Tensor) and not hasattr(value, "load_state_dict"):
                what = "a tensor, or have `state_dict` and `load_state_dict`"
                raise TypeError(f"state {name!r} of {type(experiment.rule).__name__} must be {what}; found {value!r}")
        self._targets, self._states = (
            RandomBatches.of(experiment.seeds, purpose, device) for purpose in (Purpose.TARGETS, Purpose.STATES)
        )
        self._drawn_ahead = range(0)
        self._drawn: Games | None = None

    @property
    def finished(self) -> bool:
        """Whether all iterations are done, or no member is left to train."""
        return self.iteration >= self.experiment.training.iterations or not bool(self.active.any())

    def learning_rate(self, iteration: int) -> float:
        """The optimiser's learning rate at an iteration."""
        return self.experiment.optimizer.lr * self.experiment.schedule.factor(iteration)

    def draw_games(self, iterations: int = 1) -> Games:
        """The next batch of games of every member.

        Args:
            iterations: number of iterations whose batches are drawn: all members' batches of the first, then of the
                next.
        """
        first, members = self.iteration, len(self.active)
        if first not in self._drawn_ahead or first + iterations - 1 not in self._drawn_ahead:
            settings = self.experiment.training
            each = members * settings.batch_size * self.experiment.task.dims * (1 + self.experiment.task.inputs)
            ahead = max(iterations, min(DRAWN_AHEAD, DRAWN_NUMBERS // each))
            random = (batches.of_iterations(first, ahead) for batches in (self._targets, self._states))
            self._drawn_ahead = range(first, first + ahead)
            self._drawn = draw_games(self.experiment, settings.batch_size, *random)
        start = (first - self._drawn_ahead.start) * members
        assert self._drawn is not None
        return self._drawn.of(slice(start, start + iterations * members))

    def advance(self, iterations: int = 1) -> Iterations:
        """Outer iterations by the experiment's rule, each on the next batch of games.

        A member that diverges keeps the weights that it had. A member whose losses are not finite has diverged,
        whatever the rule returns. The result is the same for any division of the iterations into calls, except for what
        the rule's state holds of members that have diverged, which has no meaning.

        Args:
            iterations: their number; fewer are done if no member is left to train.

        Raises:
            TypeError: the update has other metrics or another state than the rule announced.
        """
        steps = self._steps(iterations)
        updates = self.experiment.rule.several(steps, self.rule_state)
        iterated = self._one_by_one(steps) if updates is None else self._all_at_once(updates)
        # The only place at which the host waits for the device: after all iterations.
        done = max(1, int(iterated.active.any(dim=1).sum()))
        self.iteration += done
        return iterated.until(done)

    def _steps(self, iterations: int) -> Steps:
        experiment, numbers = self.experiment, range(self.iteration, self.iteration + iterations)
        objectives = [self.objective.at(number) for number in numbers]
        games, rates = self.draw_games(iterations), [self.learning_rate(number) for number in numbers]
        first = Step(
            iteration=self.iteration,
            weights=self.parameters,
            active=self.active,
            objective=objectives[0],
            games=games,
            engine=self.engine,
            learning_rate=rates[0],
            aggregator=experiment.aggregator,
            clip_norm=experiment.training.clip_norm,
        )
        return Steps(first, objectives, games, rates)

    def _all_at_once(self, updates: Updates) -> Iterations:
        rule, before = self.experiment.rule, self.active
        _check_names(rule, updates.metrics, updates.state, self.rule_state)
        alive = (before & updates.alive & updates.loss_dim.isfinite().all(dim=2)).int().cumprod(dim=0).bool()
        active = torch.cat([before[None], alive[:-1]])
        costs = self.evaluations + (active * updates.evaluations).cumsum(dim=0)
        self.rule_state, self.active, self.evaluations = updates.state, alive[-1], costs[-1]
        return Iterations(self.iteration, updates.loss_dim, dict(updates.metrics), active, alive, costs)

    def _one_by_one(self, steps: Steps) -> Iterations:
        rule, weights, done = self.experiment.rule, self.parameters.flat, []
        for position in range(len(steps.objectives)):
            active = self.active
            before = weights.clone()
            update = rule.update(steps.at(position, active), self.rule_state)
            _check_names(rule, update.metrics, update.state, self.rule_state)
            self.rule_state = update.state
            loss_dim = update.loss_dim.detach().clone()  # a rule may change in place what it has returned
            self.evaluations = self.evaluations + active * update.evaluations
            self.active = active & update.alive & finite(loss_dim)
            if update.weights is not weights:
                weights.copy_(update.weights.detach())
            # The rule may have moved members that are not active: momentum moves weights without a gradient.
            torch.where(self.active[:, None], weights, before, out=weights)
            metrics = {name: value.detach().clone() for name, value in update.metrics.items()}
            done.append(Iterations(self.iteration, loss_dim, metrics, active, self.active, self.evaluations))
        return Iterations(
            self.iteration,
            torch.stack([each.loss_dim for each in done]),
            {name: torch.stack([each.metrics[name] for each in done]) for name in done[0].metrics},
            torch.stack([each.active for each in done]),
            torch.stack([each.alive for each in done]),
            torch.stack([each.evaluations for each in done]),
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that is needed to continue exactly from here."""
        return {
            "iteration": self.iteration,
            "active": self.active,
            "evaluations": self.evaluations,
            "parameters": dict(self.parameters),
            "rule": {name: _saved(value) for name, value in self.rule_state.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the `state_dict` of a population of the same experiment."""
        self.iteration = state["iteration"]
        self.active = state["active"].to(self.device)
        self.evaluations = state["evaluations"].to(self.device)
        for name, parameter in self.parameters.items():
            parameter.copy_(state["parameters"][name])
        self.rule_state = {name: _restored(value, state["rule"][name]) for name, value in self.rule_state.items()}


def _check_names(rule: Rule, metrics: Iterable[str], state: Iterable[str], before: Iterable[str]) -> None:
    """Refuse an update that has other metrics or another state than the rule announced.

    Raises:
        TypeError: with the names.
    """
    announced_metrics = [column.name for column in rule.metrics]
    for what, given, announced in (("metrics", metrics, announced_metrics), ("state", state, before)):
        if set(given) != set(announced):
            names = f"must be {sorted(announced)}, as announced"
            raise TypeError(f"{what} of an update by {type(rule).__name__} {names}; found {sorted(given)}")


def _saved(value: Any) -> Any:
    """One entry of a rule's state, as it is saved."""
    return value if isinstance(value, Tensor) else value.state_dict()


def _restored(value: Any, saved: Any) -> Any:
    """The entry from what was saved; `value` is the entry of the initial state."""
    if isinstance(value, Tensor):
        return saved.to(value.device)
    value.load_state_dict(saved)
    return value
