"""Oscillations of the inner loop."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure, has_states
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.dynamics.modes import modes
from badger_sweeps.measures.dynamics.oscillations import oscillations
from badger_sweeps.training.experiment import Experiment


@settings
class InnerModes(Measure):
    """``modes/*``: dynamic mode decomposition of all experts' hidden states along a rollout, games pooled.

    ``oscillating`` is the number of persistent oscillating modes; ``surrogates_most`` is the largest number in
    time-shuffled surrogates, and ``power`` the share of injected modes that are detected. ``none`` is 1 if the number
    does not exceed the surrogates' and the power is at least 0.8: only then is the absence of oscillating modes
    established. ``r2`` is the explained variance of predictions one step ahead in games that were not fitted; compare
    ``persistence_r2``, which predicts no change.

    Args:
        every: iterations between measurements; null never measures.
        games: number of evaluation games, counted from the first.
    """

    every: Count | None = None
    games: Annotated[int, Field(ge=4, le=10**4)] = 32
    library: ClassVar[str | None] = "pydmd"

    def columns(self, experiment: Experiment) -> Columns:
        if not has_states(experiment):
            return {}
        found, r2 = "Oscillating modes of the inner loop", "Explained variance of one inner step ahead"
        return columns(
            Column("modes/rank", "Rank of the hidden states along a rollout"),
            Column("modes/oscillating", found, "count", panel=found),
            Column("modes/r2", f"{r2}, dynamic modes", panel=r2),
            Column("modes/persistence_r2", f"{r2}, if nothing changed", panel=r2),
            Column("modes/surrogates_most", f"{found}: most of surrogates", "count", panel=found),
            Column("modes/power", f"{found}: share of injected ones found"),
            Column("modes/none", f"{found}: 1 where there are none"),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        values_by_column = defaultdict(list)
        for start, h in zip(context.games.state["h"], context.steps(self.games), strict=True):
            states = torch.cat([start[None, : self.games], h]).movedim(0, 1).flatten(2)[None]
            fitted, counted = modes(states), oscillations(states, context.generator())
            values = (
                *(fitted.rank, fitted.oscillating, fitted.r2, fitted.persistence_r2),
                *(counted.largest_surrogate, counted.power, counted.none.double()),
            )
            for name, value in zip(self.columns(context.experiment), values, strict=True):
                values_by_column[name].append(value)
        return {name: torch.cat(values) for name, values in values_by_column.items()}
