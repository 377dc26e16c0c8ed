"""Kaplan-Meier curves of times that are censored at the budget."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy  # which imports `scipy.stats`, half a second, where it is first used
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
    """The Kaplan-Meier estimate of the survival curve, by SciPy.

    Where all members survive, or none does, the interval is that value: Greenwood's variance is 0 or undefined there.

    Args:
        times: the iteration of each member's event; None where it did not happen within the budget.
        budget: the iteration at which times are censored.
    """
    reached = np.array([time is not None and time <= budget for time in times])
    ends = censored_at(times, budget)
    curve = scipy.stats.ecdf(scipy.stats.CensoredData(uncensored=ends[reached], right=ends[~reached])).sf
    with warnings.catch_warnings():  # that the interval is undefined at 0 and 1
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        interval = curve.confidence_interval(0.95, method="log-log")
    surviving = curve.probabilities
    certain = (surviving == 0) | (surviving == 1)
    low, high = (np.where(certain, surviving, end.probabilities) for end in (interval.low, interval.high))
    # All are censored at the budget, so that half have had the event at the time of half of them.
    median = float(np.sort(ends)[(len(ends) - 1) // 2]) if reached.sum() > len(reached) / 2 else None
    time, surviving, low, high = (
        np.concatenate([[first], values])
        for first, values in ((0.0, curve.quantiles), (1.0, surviving), (1.0, low), (1.0, high))
    )
    return SurvivalCurve(time, surviving, low, high, median)
