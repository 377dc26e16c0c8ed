"""Two rules as somebody outside of the package would write them: one file each, and a YAML file that names it."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from badger_sweeps.core.columns import Column, metric
from badger_sweeps.core.settings import Positive, settings
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import by_dimension, cost
from badger_sweeps.rules.base import Rule, RuleState, Start, Step, Update, finite


@settings
class RandomDirection(Rule):
    """Takes a step in a random direction where it pays on the batch: no gradients, no optimiser. Cost: 2 rollouts."""

    metrics: ClassVar[tuple[Column, ...]] = (
        metric("accepted", "Whether the step was taken"),
        metric("longest_run", "Most steps taken in a row", "steps"),
    )

    radius: Positive = 0.1

    def initial_state(self, start: Start) -> RuleState:
        none = torch.zeros(len(start.seeds), device=start.weights.flat.device)
        return {"directions": start.streams(), "run": none, "longest": none}

    def update(self, step: Step, state: RuleState) -> Update:
        weights = step.weights.flat
        direction = state["directions"].draw(lambda generator: torch.randn(weights.shape[1], generator=generator))
        moved = weights + self.radius * direction / direction.norm(dim=1, keepdim=True)
        here = step.engine.losses(step.objective, step.weights, step.games)
        there = step.engine.losses(step.objective, Weights(moved, step.weights.shapes), step.games)
        better = there.losses.mean(dim=(1, 2)) < here.losses.mean(dim=(1, 2))
        run = torch.where(better, state["run"] + 1, 0)
        longest = torch.maximum(run, state["longest"])
        return Update(
            weights=torch.where(better[:, None], moved, weights),
            state={**state, "run": run, "longest": longest},
            loss_dim=here.loss_dim,
            metrics={"accepted": better.float(), "longest_run": longest},
            alive=finite(here.loss_dim),
            evaluations=2,
        )


@settings
class SurgeryByHand(Rule):
    """PCGrad as in its paper, algorithm 1, and plain gradient descent along the mean of what is left."""

    metrics: ClassVar[tuple[Column, ...]] = (metric("conflicts", "Pairs of dimensions in conflict"),)

    def initial_state(self, start: Start) -> RuleState:
        return {"order": start.streams()}

    def update(self, step: Step, state: RuleState) -> Update:
        weights = step.weights.flat
        cotangents = by_dimension(step.games, len(weights))
        found = step.engine.pullback(step.objective, step.weights, step.games, cotangents)
        moved, conflicts = weights.clone(), torch.zeros(len(weights))
        for member, order in enumerate(state["order"]):
            gradients = found.gradients[:, member]
            left = [self._without(gradients, i, order) for i in range(len(gradients))]
            moved[member] -= step.learning_rate * torch.stack(left).mean(dim=0)
            conflicts[member] = (gradients @ gradients.T < 0).sum() / 2
        alive = finite(found.loss_dim, moved)
        return Update(moved, state, found.loss_dim, {"conflicts": conflicts}, alive, cost(len(cotangents)))

    def _without(self, gradients: Tensor, i: int, order: torch.Generator) -> Tensor:
        projected = gradients[i].clone()
        for j in torch.randperm(len(gradients), generator=order).tolist():
            against = projected @ gradients[j]
            if j != i and against < 0:
                projected -= against / gradients[j].square().sum() * gradients[j]
        return projected
