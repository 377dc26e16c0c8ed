"""A population in training: P members' weights, graphs, random streams and what their update rule remembers."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from badger_sweeps.core.random_streams import Purpose, Streams
from badger_sweeps.rollout import Games
from badger_sweeps.rules.base import Rule, RuleState, Start, Step, Update, finite
from badger_sweeps.training.draws import draw_games, initial_weights
from badger_sweeps.training.experiment import Experiment


class Population:
    """All members of an experiment, as tensors with a leading population axis.

    A member is the same run whatever population it trains in: everything it draws comes from streams of its
    own seed, and nothing that happens to another member reaches it (up to float rounding, since matrix products
    over more members may be summed in another order).

    Attributes:
        iteration: outer iterations done.
        engine: the one that serves the experiment.
        engine_words: which it is and why, for the user.
        objective: what is minimised; nothing in it is annealed yet.
        parameters: the weights.
        rule_state: what the update rule remembers.
        active: the members still training; one that has diverged, as the rule has it, is frozen as it was.
        evaluations: what each member has cost until now, in rollouts of a batch: forward only 1, with its gradient 3.
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
        self.engine, self.engine_words = experiment.engine.resolve(experiment.system, device)
        start = Start(experiment.seeds, self.parameters, experiment.optimizer)
        self.rule_state: RuleState = experiment.rule.initial_state(start)
        for name, value in self.rule_state.items():
            if not isinstance(value, Tensor) and not hasattr(value, "load_state_dict"):
                what = "a tensor, or have `state_dict` and `load_state_dict`"
                raise TypeError(f"state {name!r} of {type(experiment.rule).__name__} must be {what}; found {value!r}")
        self._streams = {
            purpose: Streams(experiment.seeds, purpose, device) for purpose in (Purpose.TARGETS, Purpose.STATES)
        }

    @property
    def finished(self) -> bool:
        """Whether all iterations are done, or no member is left to train."""
        return self.iteration >= self.experiment.training.iterations or not bool(self.active.any())

    @property
    def learning_rate(self) -> float:
        """The optimiser's at this iteration."""
        return self.experiment.optimizer.lr * self.experiment.schedule.factor(self.iteration)

    def draw_games(self) -> Games:
        """The next batch of every member."""
        streams = self._streams
        games = self.experiment.training.batch_size
        return draw_games(self.experiment, games, streams[Purpose.TARGETS], streams[Purpose.STATES])

    def advance(self) -> Update:
        """One outer iteration by the experiment's rule, on the next batch of games; gives what the rule made of it.

        A member that diverges is frozen with the weights that it had. One whose losses are not finite has diverged,
        whatever the rule says.

        Raises:
            TypeError: the rule does not keep to what `Rule` and `Update` say.
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
        weights[frozen] = before[frozen]  # whatever the rule did there: momentum moves weights without a gradient
        self.iteration += 1
        return update

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on exactly from here."""
        return {
            "iteration": self.iteration,
            "active": self.active,
            "evaluations": self.evaluations,
            "parameters": dict(self.parameters),
            "rule": {name: _saved(value) for name, value in self.rule_state.items()},
            "streams": {purpose.name: streams.state_dict() for purpose, streams in self._streams.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict` of a population of the same experiment."""
        self.iteration = state["iteration"]
        self.active = state["active"].to(self.device)
        self.evaluations = state["evaluations"].to(self.device)
        for name, parameter in self.parameters.items():
            parameter.copy_(state["parameters"][name])
        self.rule_state = {name: _restored(value, state["rule"][name]) for name, value in self.rule_state.items()}
        for purpose, streams in self._streams.items():
            streams.load_state_dict(state["streams"][purpose.name])


def _checked(rule: Rule, update: Update, before: RuleState) -> Update:
    """The update, cut off from autograd's graph, if it has what the rule announced."""
    metrics = [column.name for column in rule.metrics]
    for what, given, announced in (("metrics", update.metrics, metrics), ("state", update.state, before)):
        if given.keys() != set(announced):
            names = f"must be {sorted(announced)}, as announced"
            raise TypeError(f"{what} of an update by {type(rule).__name__} {names}; found {sorted(given)}")
    detached = {name: value.detach() for name, value in update.metrics.items()}
    return update._replace(loss_dim=update.loss_dim.detach(), metrics=detached)


def _saved(value: Any) -> Any:
    """One thing that a rule remembers, as it is saved."""
    return value if isinstance(value, Tensor) else value.state_dict()


def _restored(value: Any, saved: Any) -> Any:
    """The same from what was saved; `value` is what the rule began with."""
    if isinstance(value, Tensor):
        return saved.to(value.device)
    value.load_state_dict(saved)
    return value
