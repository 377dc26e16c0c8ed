"""Gradient descent: aggregate the dimensions' gradients, clip the result, and take a step of the optimiser."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.aggregators.mean import MeanGradient
from badger_sweeps.core.columns import Column, metric
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.core.settings import settings
from badger_sweeps.engines.base import Iterations, by_dimension, cost
from badger_sweeps.optimizers.population import PopulationOptimizer
from badger_sweeps.rules.base import Rule, RuleState, Start, Step, Steps, Update, Updates, finite


@settings
class GradientDescent(Rule):
    """One step of `optimizer` along the gradient that `aggregator` combines from those of the dimensions.

    A member has diverged when its loss or the norm of its gradient is not finite. Cost: 3 rollouts per iteration, and 2
    more for each dimension after the first if the aggregator needs the gradients one by one.

    Metric ``grad_norm``: the norm of the aggregated gradient before clipping (`training.clip_norm`).
    """

    metrics: ClassVar[tuple[Column, ...]] = (metric("grad_norm", "Norm of the gradient", shown=True, section="Loss"),)
    aggregates: ClassVar[bool] = True

    def initial_state(self, start: Start) -> RuleState:
        optimizer = PopulationOptimizer(start.optimizer, start.weights)
        return {"optimizer": optimizer, "aggregation": start.streams(Purpose.AGGREGATION)}

    def update(self, step: Step, state: RuleState) -> Update:
        weights, aggregator = step.weights.flat, step.aggregator
        cotangents = by_dimension(step.games, len(weights)) if aggregator.by_dimension else None
        found = step.engine.pullback(step.objective, step.weights, step.games, cotangents)
        gradient = aggregator.combine(found.gradients, state["aggregation"])
        norms = gradient.square().sum(dim=1).sqrt()
        alive = step.active & finite(found.loss_dim, norms)
        state["optimizer"].step(gradient * _clip_scale(norms, step.clip_norm)[:, None], step.learning_rate, alive)
        return Update(weights, state, found.loss_dim, {"grad_norm": norms}, alive, cost(len(found.gradients)))

    def several(self, steps: Steps, state: RuleState) -> Updates | None:
        step = steps.first
        if type(step.aggregator) is not MeanGradient:
            return None
        iterations = Iterations(steps.objectives, steps.games, steps.rates, step.active, step.clip_norm)
        found = step.engine.descend(iterations, step.weights, state["optimizer"])
        if found is None:
            return None
        return Updates(state, found.loss_dim, {"grad_norm": found.norms}, found.alive, cost(1))


def _clip_scale(norms: Float[Tensor, " population"], longest: float | None) -> Float[Tensor, " population"]:
    if longest is None:
        return torch.ones_like(norms)
    return (longest / (norms + 1e-6)).clamp(max=1)  # the rule of torch.nn.utils.clip_grad_norm_
