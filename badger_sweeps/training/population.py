"""A population in training: the weights, graphs and random streams of its members, and the state of the update rule."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, RandomStreams
from badger_sweeps.rollout import Games
from badger_sweeps.rules.base import Rule, RuleState, Start, Step, Update, finite
from badger_sweeps.training.draws import draw_games, initial_weights
from badger_sweeps.training.experiment import Experiment


class Population:
    """All members of an experiment, as tensors with a leading population axis.

    A member computes the same run in any population: it draws from the random streams of its seed alone, and does not
    depend on other members (up to float rounding, since matrix products over more members may be summed in another
    order).

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
        self._streams = {
            purpose: RandomStreams(experiment.seeds, purpose, device) for purpose in (Purpose.TARGETS, Purpose.STATES)
        }

    @property
    def finished(self) -> bool:
        """Whether all iterations are done, or no member is left to train."""
        return self.iteration >= self.experiment.training.iterations or not bool(self.active.any())

    @property
    def learning_rate(self) -> float:
        """The optimiser's learning rate at this iteration."""
        return self.experiment.optimizer.lr * self.experiment.schedule.factor(self.iteration)

    def draw_games(self) -> Games:
        """The next batch of games of every member."""
        streams = self._streams
        games = self.experiment.training.batch_size
        return draw_games(self.experiment, games, streams[Purpose.TARGETS], streams[Purpose.STATES])

    def advance(self) -> Update:
        """One outer iteration by the experiment's rule, on the next batch of games; returns the rule's update.

        A member that diverges keeps the weights that it had. A member whose losses are not finite has diverged,
        whatever the rule returns.

        Raises:
            TypeError: the update has other metrics or another state than the rule announced.
        """
        experiment, weights = self.experiment, self.parameters.flat
        step = Step(
            iteration=self.iteration,
            weights=self.parameters,
            active=self.active,
            objective=self.objective.at(self.iteration),
            games=self.draw_games(),
            engine=self.engine,
            learning_rate=self.learning_rate,
            aggregator=experiment.aggregator,
            clip_norm=experiment.training.clip_norm,
        )
        before = weights.clone()
        update = _checked(experiment.rule, experiment.rule.update(step, self.rule_state), self.rule_state)
        self.rule_state = update.state
        self.evaluations = self.evaluations + self.active * update.evaluations
        self.active = self.active & update.alive & finite(update.loss_dim)
        if update.weights is not weights:
            weights.copy_(update.weights.detach())
        frozen = ~self.active
        weights[frozen] = before[frozen]  # the rule may have moved them: momentum moves weights without a gradient
        self.iteration += 1
        return update

    def state_dict(self) -> dict[str, Any]:
        """Everything that is needed to continue exactly from here."""
        return {
            "iteration": self.iteration,
            "active": self.active,
            "evaluations": self.evaluations,
            "parameters": dict(self.parameters),
            "rule": {name: _saved(value) for name, value in self.rule_state.items()},
            "streams": {purpose.name: streams.state_dict() for purpose, streams in self._streams.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the `state_dict` of a population of the same experiment."""
        self.iteration = state["iteration"]
        self.active = state["active"].to(self.device)
        self.evaluations = state["evaluations"].to(self.device)
        for name, parameter in self.parameters.items():
            parameter.copy_(state["parameters"][name])
        self.rule_state = {name: _restored(value, state["rule"][name]) for name, value in self.rule_state.items()}
        for purpose, streams in self._streams.items():
            streams.load_state_dict(state["streams"][purpose.name])


def _checked(rule: Rule, update: Update, before: RuleState) -> Update:
    """The update, detached from autograd's graph.

    Raises:
        TypeError: it has other metrics or another state than the rule announced.
    """
    metrics = [column.name for column in rule.metrics]
    for what, given, announced in (("metrics", update.metrics, metrics), ("state", update.state, before)):
        if given.keys() != set(announced):
            names = f"must be {sorted(announced)}, as announced"
            raise TypeError(f"{what} of an update by {type(rule).__name__} {names}; found {sorted(given)}")
    detached = {name: value.detach() for name, value in update.metrics.items()}
    return update._replace(loss_dim=update.loss_dim.detach(), metrics=detached)


def _saved(value: Any) -> Any:
    """One entry of a rule's state, as it is saved."""
    return value if isinstance(value, Tensor) else value.state_dict()


def _restored(value: Any, saved: Any) -> Any:
    """The entry from what was saved; `value` is the entry of the initial state."""
    if isinstance(value, Tensor):
        return saved.to(value.device)
    value.load_state_dict(saved)
    return value
