"""A Lyapunov exponent of the training loss, compared with surrogates: chaos or noise on a plateau."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.dynamics.lyapunov import MIN_LENGTH, against_surrogates
from badger_sweeps.measures.dynamics.surrogates import amplitude_adjusted, phase_randomised
from badger_sweeps.training.experiment import Experiment

NAMES = ("value", "surrogate_mean", "surrogate_sd", "p_value")


@settings
class LossChaos(Measure):
    """``lyapunov/loss``: Rosenstein's exponent of the training loss in a window, and of phase-randomised surrogates.

    In nats per iteration. White noise has an exponent of +0.5, so a value is evidence only if it differs from
    ``lyapunov/loss_surrogate_mean`` (see ``_surrogate_sd``, ``_p_value``), and weak evidence: skewed noise without
    dynamics differs from these surrogates, too. ``lyapunov/loss_adjusted_p_value`` compares with amplitude-adjusted
    surrogates, which are as skewed as the loss. NaN until the window has 200 losses.

    Args:
        every: iterations between measurements; null never measures.
        window: length of the window in iterations; it should lie within one plateau.
        surrogates: number of surrogates of each kind.
    """

    every: Count | None = None
    window: Annotated[int, Field(ge=MIN_LENGTH, le=10**4)] = 512
    surrogates: Annotated[int, Field(ge=19, le=10**5)] = 99

    def columns(self, experiment: Experiment) -> Columns:
        title, unit = "Lyapunov exponent of the training loss", "nats per iteration"
        panel = f"{title}, and of surrogates"
        return columns(
            Column("lyapunov/loss", title, unit, panel=panel),
            Column("lyapunov/loss_surrogate_mean", f"{title}: mean of surrogates", unit, panel=panel),
            Column("lyapunov/loss_surrogate_sd", f"{title}: standard deviation of surrogates", unit),
            Column("lyapunov/loss_p_value", f"{title}: p against phase-randomised surrogates"),
            Column("lyapunov/loss_adjusted_p_value", f"{title}: p against amplitude-adjusted surrogates"),
        )

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        losses = context.loss_history.losses(context.members, last=self.window)
        names = self.columns(context.experiment)
        if losses.shape[1] < MIN_LENGTH:
            return dict.fromkeys(names, torch.full((len(losses),), torch.nan))
        randomised, adjusted = (
            against_surrogates(losses, context.generator(), self.surrogates, surrogates=kind)
            for kind in (phase_randomised, amplitude_adjusted)
        )
        values = (*(getattr(randomised, name) for name in NAMES), adjusted.p_value)
        return dict(zip(names, values, strict=True))
