"""The factor by which a gated cell keeps its state from one inner step to the next."""

from __future__ import annotations

import torch
from torch import Tensor

from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.columns import INNER_STEP, Column, Columns, columns
from badger_sweeps.core.settings import Count, Size, settings
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import Trace
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.training.experiment import Experiment


@settings
class Gates(Measure):
    """``gate/carried``: a vector with the mean, at every inner step, of the factor c in h <- c*h + v.

    For `gru`, c is the update gate z, below 1; for `exponential`, c = a + b*z, and the state grows where c exceeds 1.
    ``gate/growing`` is the share of components (over games, experts and steps) with c > 1. The new part v is at most
    1 - c for `gru` and b*(1 - z) for `exponential`: if c is always below some C < 1, states stay below
    b*(1 - z)/(1 - C).

    Args:
        every: iterations between measurements; null never measures.
        games: number of evaluation games, counted from the first.
    """

    every: Count | None = None
    games: Size = 64

    def columns(self, experiment: Experiment) -> Columns:
        if not isinstance(experiment.architecture, GRU):
            return {}
        carried, steps = "Factor with which states are carried on", experiment.training.inner_steps
        return columns(
            Column("gate/carried", carried, length=steps, axis=INNER_STEP, section="Along the inner loop"),
            Column("gate/growing", f"{carried}: share above 1"),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        rollouts = enumerate(context.rollouts(self.games))
        factors = [self._factors(context, member, trace) for member, trace in rollouts]
        return {
            "gate/carried": torch.stack([factor.flatten(1).mean(dim=1) for factor in factors]),
            "gate/growing": torch.stack([_share_above_1(factor) for factor in factors]),
        }

    def _factors(self, context: EvaluationContext, member: int, trace: Trace) -> Tensor:
        """c of every step, game, expert and component, recomputed from the rollout's states for all steps at once."""
        architecture, games = context.system.architecture, context.games.first(self.games).of(slice(member, member + 1))
        assert isinstance(architecture, GRU)
        states, steps = trace.states["h"][:, 0], len(trace.guesses)
        before = torch.cat([games.state["h"], states[:-1]])
        guesses = torch.cat([torch.zeros_like(trace.guesses[:1, 0]), trace.guesses[:-1, 0]])
        observed = context.system.observed_error(guesses, games.targets)
        weights = Weights(context.parameters.flat[member].expand(steps, -1), context.parameters.shapes)
        messages = architecture.messages(weights, before)
        messages[0] = games.state["m"][0]
        x = architecture.input(weights, context.adjacency[member].expand(steps, -1, -1), messages, observed)
        z, _ = architecture.gates(weights, x, before.flatten(1, 2))
        return architecture.a + architecture.b * z if isinstance(architecture, Exponential) else z


def _share_above_1(factor: Tensor) -> Tensor:
    """The share of factors above 1; NaN if any factor is NaN."""
    return torch.where(factor.isnan().any(), torch.nan, (factor > 1).double().mean())
