"""Kaplan-Meier curves of times that are censored at the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from lifelines import KaplanMeierFitter
from numpy.typing import NDArray

from badger_sweeps.statistics.estimates import censored_at


class SurvivalCurve(NamedTuple):
    """The share of members whose event has not happened yet, as a step function of the iteration.

    Attributes:
        time: iterations at which the curve steps, starting at 0; shape (steps,).
        surviving: the share from that time on; shape (steps,).
        low: lower end of the 95 % interval (Greenwood, log-log); shape (steps,).
        high: its upper end; shape (steps,).
        median: the iteration by which half of the members had the event; None unless more than half had it.
    """

    time: NDArray[np.float64]
    surviving: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    median: float | None


def kaplan_meier(times: Sequence[int | None], budget: int) -> SurvivalCurve:
    """The Kaplan-Meier estimate of the survival curve, by lifelines.

    Args:
        times: the iteration of each member's event; None where it did not happen within the budget.
        budget: the iteration at which times are censored.
    """
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
