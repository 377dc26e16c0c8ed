"""The error at each frequency of the frequency task."""

from __future__ import annotations

from torch import Tensor

from badger_sweeps.core.columns import NORMALISED_ERROR, Column, Columns, columns
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.measures.frequencies import spectrum
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.training.experiment import Experiment

COHERENT = "frequency/coherent"
"""The group of the columns of the coherent ratios."""
PER_FREQUENCY = {"coherent": "Coherent ratio", "amplitude": "Amplitude ratio"}


@settings
class Frequencies(Measure):
    """``frequency/coherent/KK`` and ``frequency/amplitude/KK`` of frequencies 1 to K, and ``frequency/out_of_band``.

    The coherent ratio is 1 for a solved frequency and 0 for noise; the amplitude ratio does not depend on the phase.
    ``out_of_band`` is the part of the normalised error at frequencies that no target has.

    Args:
        every: iterations between measurements; null never measures.
    """

    every: Count | None = 100

    def columns(self, experiment: Experiment) -> Columns:
        if not isinstance(experiment.task, Frequency):
            return {}
        by_frequency = (
            Column(f"frequency/{name}/{k:02d}", f"{title} of frequency {k}", per="frequency", panel=f"{title}s")
            for name, title in PER_FREQUENCY.items()
            for k in range(1, experiment.task.parts + 1)
        )
        title = "Error at frequencies that no target has"
        return columns(*by_frequency, Column("frequency/out_of_band", title, NORMALISED_ERROR))

    def measure(self, context: EvaluationContext) -> dict[str, Tensor]:
        ratios = spectrum(context.guesses, context.targets, context.experiment.task.parts)
        values = [column for name in PER_FREQUENCY for column in getattr(ratios, name).unbind(dim=1)]
        return dict(zip(self.columns(context.experiment), (*values, ratios.out_of_band), strict=True))
