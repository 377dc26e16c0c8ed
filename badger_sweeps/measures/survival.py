"""Kaplan-Meier curves of a time that some members have not reached within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from lifelines import KaplanMeierFitter
from numpy.typing import NDArray

from badger_sweeps.measures.estimates import censored_at


class SurvivalCurve(NamedTuple):
    """The share of members that have not got there yet, as a step function.

    Attributes:
        time: where the curve steps, starting at 0.
        surviving: the share from that time on.
        low: lower end of the 95 % interval (Greenwood, log-log).
        high: upper end.
        median: the time by which half of the members were there; None unless more than half were.
    """

    time: NDArray[np.float64]
    surviving: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    median: float | None


def kaplan_meier(times: Sequence[int | None], budget: int) -> SurvivalCurve:
    """The curve of `times`, censored at `budget` where they are None. lifelines does the estimating."""
    reached = [time is not None and time <= budget for time in times]
    fit = KaplanMeierFitter().fit(censored_at(times, budget), reached)
    interval = fit.confidence_interval_survival_function_
    return SurvivalCurve(
        fit.survival_function_.index.to_numpy(dtype=float),
        fit.survival_function_.iloc[:, 0].to_numpy(),
        interval.iloc[:, 0].to_numpy(),
        interval.iloc[:, 1].to_numpy(),
        float(fit.median_survival_time_) if sum(reached) > len(reached) / 2 else None,
    )
