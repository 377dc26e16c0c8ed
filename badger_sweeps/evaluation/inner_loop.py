"""The inner loop, step by step: error, convergence, and size of the states."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from badger_sweeps.core.columns import INNER_STEP, NORMALISED_ERROR, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.engines.base import Trace
from badger_sweeps.evaluation.base import Measure, has_states
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.evaluation.frequencies import PER_FREQUENCY
from badger_sweeps.measures.frequencies import spectrum
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.training.experiment import Experiment


@settings
class InnerLoop(Measure):
    """``inner/*``: vectors with a value after every inner step, on the evaluation games.

    ``inner/loss`` is the normalised error (chance = 1). ``inner/change`` is the root mean square of g_t - g_(t-1)
    (g_0 = 0), in units of the targets' root mean square: 0 if the inner loop has converged. ``inner/state_size`` is the
    root mean square of the hidden states' components. On the frequency task, ``inner/coherent/KK`` and
    ``inner/amplitude/KK`` are the ratios of `Frequencies` after every step.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = None

    def columns(self, experiment: Experiment) -> Columns:
        if not has_states(experiment):
            return {}
        steps = experiment.training.inner_steps
        vectors = [
            Column("inner/loss", "Loss along the inner loop", NORMALISED_ERROR, steps, INNER_STEP),
            Column("inner/change", "Change of the guess", "units of the targets", steps, INNER_STEP),
            Column("inner/state_size", "Root mean square of the hidden states", "", steps, INNER_STEP),
        ]
        if isinstance(experiment.task, Frequency):
            vectors += [
                Column(
                    f"inner/{name}/{k:02d}",
                    f"{title} of frequency {k} along the inner loop",
                    "",
                    steps,
                    INNER_STEP,
                    "frequency",
                )
                for name, title in PER_FREQUENCY.items()
                for k in range(1, experiment.task.parts + 1)
            ]
        return columns(*(replace(vector, section="Along the inner loop") for vector in vectors))

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        rows = [self._one(context, member, trace) for member, trace in enumerate(context.rollouts())]
        return dict(zip(self.columns(context.experiment), torch.stack(rows, dim=1).unbind(dim=0), strict=True))

    def _one(self, context: EvaluationContext, member: int, trace: Trace) -> Tensor:
        """All columns of one member, columns first."""
        task, guesses, targets = context.experiment.task, trace.guesses[:, 0], context.targets[member]
        loss = context.system.error(guesses, targets).mean(dim=(1, 2))
        moved = torch.diff(guesses, dim=0, prepend=torch.zeros_like(guesses[:1]))
        change = (moved.square().mean(dim=(1, 2)) / task.absolute_moment(2)).sqrt()
        size = trace.states["h"][:, 0].square().flatten(1).mean(dim=1).sqrt()
        columns = [loss, change, size]
        if isinstance(task, Frequency):
            ratios = spectrum(guesses, targets.expand_as(guesses), task.parts)
            columns += [*ratios.coherent.unbind(dim=1), *ratios.amplitude.unbind(dim=1)]
        return torch.stack([column.float() for column in columns])
