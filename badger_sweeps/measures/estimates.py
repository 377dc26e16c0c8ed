"""Means, shares and paired differences over seeds, with the intervals that may be claimed for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy  # which imports `scipy.stats`, half a second, where it is first used
from numpy.typing import ArrayLike, NDArray

FEWEST = 8
"""Seeds below which no bootstrap interval is given: its coverage is not to be trusted."""
FEWEST_PAIRS = 6
"""Pairs below which no sign-flip test can reach p = 0.05 (six reach 0.031)."""


class Estimate(NamedTuple):
    """A value with its 95 % interval; `low` and `high` are None where no interval can be given."""

    value: float
    low: float | None
    high: float | None


def share(successes: int, trials: int) -> Estimate:
    """k/n with its Wilson interval."""
    interval = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def mean(values: ArrayLike) -> Estimate:
    """The mean with its BCa bootstrap interval over members (9999 resamples, a fixed generator of its own).

    No interval for fewer than eight values, nor where they are all equal or the bootstrap is degenerate.
    """
    values = np.asarray(values, dtype=float)
    return Estimate(float(values.mean()), *_bca(values))


def censored_at(times: Sequence[int | None], budget: int) -> NDArray[np.float64]:
    """min(T, budget) of each member, None standing for "not within the budget".

    Its mean is the restricted mean survival time RMST(budget), the area under the Kaplan-Meier curve, since all
    members are censored at one common time: it needs no assumption on what censored members would have done.
    """
    return np.array([budget if time is None else min(time, budget) for time in times], dtype=float)


class PairedDifference(NamedTuple):
    """The mean of second - first over pairs, its interval, and the p-value of the sign-flip test."""

    difference: Estimate
    p_value: float | None
    pairs: int


def paired_difference(first: ArrayLike, second: ArrayLike) -> PairedDifference:
    """Compare two arms that were run on the same seeds, in the same order.

    The test flips the sign of every pair's difference (exact up to 13 pairs, then 9999 random flips); two-sided. No
    p-value for fewer than six pairs, where none could fall below 0.05.
    """
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    if len(differences) < FEWEST_PAIRS:
        return PairedDifference(mean(differences), None, len(differences))
    test = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(0)
    )
    return PairedDifference(mean(differences), float(test.pvalue), len(differences))


def _bca(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    if len(values) < FEWEST or np.ptp(values) == 0:
        return None, None
    result = scipy.stats.bootstrap((values,), np.mean, method="BCa", n_resamples=9999, rng=np.random.default_rng(0))
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    return (low, high) if np.isfinite([low, high]).all() else (None, None)
