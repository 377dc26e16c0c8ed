"""The iterations at which the frequencies of the frequency task are solved, and tests of their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy  # which imports `scipy.stats`, half a second, where it is first used
import torch
from jaxtyping import Bool, Float, Real
from numpy.typing import NDArray
from torch import Tensor

from badger_sweeps.measures.unmeasurable import warn_unmeasurable

ARRANGEMENTS = 9999
"""Random permutations of a test; where there are no more than these, all are enumerated."""

Sample = Sequence[float | int] | NDArray[np.float64]
"""The values of one group, shape (values,)."""


class SolveIterations(NamedTuple):
    """The iteration at which each frequency was solved; a row for each member."""

    iterations: Float[Tensor, "population frequency"]
    """tau_k, in outer iterations; the budget where the frequency was not solved."""
    solved: Bool[Tensor, "population frequency"]
    """Whether the frequency was solved within the budget; if not, tau_k is censored."""


def solve_iterations(
    coherent: Float[Tensor, "population time frequency"],
    iterations: Real[Tensor, " time"],
    budget: int,
    level: float = 0.9,
    in_a_row: int = 3,
    smoothing: int = 3,
) -> SolveIterations:
    """tau_k, the first iteration from which smoothed Re rho_k >= `level` for `in_a_row` evaluations.

    Smoothing is a centred moving median, narrower towards both ends. It does not change a rising curve: it removes
    single spikes and dips without delaying tau_k. With 1000 games the sampling error of rho_k is below 0.02; smoothing
    is for fluctuations of the training itself.

    Evaluations that are NaN or infinite are left out: those before and after them become neighbours, and tau_k is late
    by at most the gap. A run that diverges before it has solved a frequency has not solved it.

    Args:
        coherent: Re rho_k at each evaluation; see `spectrum`.
        iterations: of each evaluation, rising.
        budget: the iteration at which tau_k is censored; evaluations after it are not used.
        level: of Re rho_k.
        in_a_row: consecutive evaluations, at least 1.
        smoothing: evaluations in the median, odd; 1 for no smoothing.

    Returns:
        tau_k in outer iterations; NaN, unsolved, where fewer than `in_a_row` evaluations are finite.
    """
    times = iterations.to(coherent.device, torch.float64)
    if len(times) != coherent.shape[1] or (times.diff() <= 0).any():
        raise ValueError("iterations must rise, one for each evaluation")
    if in_a_row < 1 or smoothing < 1 or smoothing % 2 == 0:
        raise ValueError(f"in_a_row must be at least 1 and smoothing odd; found {in_a_row}, {smoothing}")
    used = times <= budget
    times, curves = times[used], coherent.detach().double()[:, used]

    # Finite evaluations first, in order, so that gaps close; then those that are not finite.
    made, order = torch.sort(curves.isfinite().to(torch.uint8), dim=1, descending=True, stable=True)
    counts = made.sum(dim=1)
    curves, times = curves.gather(1, order), times[order]
    above = (_moving_median(curves, counts, smoothing) >= level) & made.bool()
    starts = torch.zeros_like(above)
    if above.shape[1] >= in_a_row:
        runs = above.unfold(1, in_a_row, 1).all(dim=-1)
        starts[:, : runs.shape[1]] = runs
    solved, measured = starts.any(dim=1), counts >= in_a_row
    tau = torch.full_like(solved, budget, dtype=torch.float64)
    if above.shape[1]:
        first = times.gather(1, starts.to(torch.uint8).argmax(dim=1, keepdim=True)).squeeze(1)
        tau = torch.where(solved, first, tau)
    if not measured.all():
        warn_unmeasurable("solve iterations", "needs as many evaluations as in_a_row", "curves with fewer")
    return SolveIterations(torch.where(measured, tau, torch.nan), solved)


class SolveOrder(NamedTuple):
    """The order in which a member solved the frequencies; dimensionless."""

    spearman: Float[Tensor, " population"]
    """Spearman's rank correlation of (k, tau_k): 1 for low frequencies first, -1 for high ones first."""
    kendall: Float[Tensor, " population"]
    """Kendall's tau_b of (k, tau_k)."""
    simultaneity: Float[Tensor, " population"]
    """(tau_max - tau_min) / median tau: 0 if all were solved at the same iteration."""
    solved: Float[Tensor, " population"]
    """The number of frequencies that were solved."""


def solve_order(times: SolveIterations) -> SolveOrder:
    """Rank correlations of frequency and solve iteration, and their simultaneity; dimensionless.

    Frequencies that were not solved are tied at the budget, after all others: tau_b corrects for ties, and both
    correlations do not depend on the order among them. Simultaneity is then a lower bound, and is given only where the
    median itself was reached.

    Returns:
        NaN correlations where all tau_k are equal, above all where no frequency was solved, and for a single frequency.
        NaN simultaneity where no more than half were solved, or half of them at iteration 0. All NaN but `solved` where
        a tau_k is NaN. The least number of frequencies is 2, but below 5 even a perfect order proves nothing in a
        single run (two-sided p = 0.083 for 4).
    """
    tau, solved = times.iterations, times.solved.sum(dim=1)
    found = tau.cpu().numpy()
    k = np.arange(found.shape[1])
    correlations = np.full((len(found), 2), np.nan)
    for member, row in enumerate(found):
        if _ordered(row):
            correlations[member] = scipy.stats.spearmanr(k, row).statistic, scipy.stats.kendalltau(k, row).statistic
    spearman, kendall = torch.from_numpy(correlations).to(tau.device).unbind(dim=1)
    median = tau.quantile(0.5, dim=1)
    # With an even number of frequencies both central ones must have been reached.
    reached = (solved > tau.shape[1] // 2) & (median > 0)
    simultaneity = torch.where(reached, (tau.amax(dim=1) - tau.amin(dim=1)) / median, torch.nan)
    if (spearman.isnan() | simultaneity.isnan()).any():
        rule = "needs more than half of the frequencies solved, at different times"
        warn_unmeasurable("solve order", rule, "members of which that is not so")
    return SolveOrder(spearman, kendall, simultaneity, solved.double())


class PageTrend(NamedTuple):
    """Page's test of one order shared by all members."""

    low_first: float
    """L for the order 1, 2, .., K."""
    p_low_first: float
    """One-sided p-value of no order against that one."""
    high_first: float
    """L for the order K, .., 2, 1."""
    p_high_first: float
    """One-sided p-value of no order against that one."""
    expected: float
    """E[L] without any order; its variance is not corrected for ties."""
    members: int
    """The number of members that have an order."""


def page_trend(times: SolveIterations) -> PageTrend:
    """Page's trend test: whether the members, one per seed, solve the frequencies in a common order.

    Members without an order (none solved, or all at the same iteration) or with NaN are left out. At least two members
    and three frequencies must be left, else all is NaN. Ties, as among unsolved frequencies, take mean ranks. SciPy,
    which computes the test, does not correct for them, so p is too large where many are tied; from ten frequencies on
    its p is a normal approximation. Both p-values are one-sided: double the smaller one for a two-sided test.

    Source: Page 1963.
    """
    found = times.iterations.cpu().numpy()
    rows = found[[_ordered(row) for row in found]]
    members, count = rows.shape
    if members < 2 or count < 3:
        rule = "needs two members that solve three or more frequencies at different times"
        warn_unmeasurable("page trend", rule, "fewer")
        return PageTrend(np.nan, np.nan, np.nan, np.nan, np.nan, members)
    rising = np.arange(1, count + 1)
    low, high = (scipy.stats.page_trend_test(rows, predicted_ranks=ranks) for ranks in (rising, rising[::-1]))
    expected = members * count * (count + 1) ** 2 / 4
    return PageTrend(
        low_first=float(low.statistic),
        p_low_first=float(low.pvalue),
        high_first=float(high.statistic),
        p_high_first=float(high.pvalue),
        expected=expected,
        members=members,
    )


class Jonckheere(NamedTuple):
    """The Jonckheere-Terpstra test of independent groups in a predicted order; dimensionless."""

    statistic: float
    """J, the number of pairs of values from different groups that rise with the groups; ties count one half."""
    expected: float
    """E[J] without any order."""
    variance: float
    """Var[J] without any order, corrected for ties."""
    z: float
    """(J - E)/sqrt(Var)."""
    p_rising: float
    """One-sided permutation p-value; small where values rise from group to group."""
    p_falling: float
    """One-sided permutation p-value; small where values fall from group to group."""


def jonckheere(groups: Sequence[Sample], generator: np.random.Generator) -> Jonckheere:
    """The Jonckheere-Terpstra test: whether values rise or fall over independent groups in the predicted order.

    J = sum over i < j of U_ij. Without ties Var = [N^2(2N+3) - sum n_i^2(2n_i+3)]/72; the further terms for ties are
    Lehmann's. p is exact where no more than 9999 permutations exist, else from 9999 random ones (never below 1e-4): z
    against the normal distribution is too optimistic for small groups (0.0086 for the exact 0.0111 of three ordered
    groups of two).

    Args:
        groups: the values of each group, such as tau of independent runs; values censored at one budget are ties.
        generator: draws the permutations.

    Returns:
        All NaN for fewer than two groups, a group of fewer than two values, NaN or infinity among the values, or values
        that are all equal.
    """
    samples = [np.asarray(group, dtype=float) for group in groups]
    pooled = np.concatenate([*samples, np.zeros(0)])
    if len(samples) < 2 or min(map(len, samples)) < 2 or not _ordered(pooled):
        warn_unmeasurable("Jonckheere-Terpstra", "needs two groups of two values, not all equal", "otherwise")
        return Jonckheere(*[np.nan] * 6)
    statistic = float(_rising_pairs(*samples))
    sizes = np.array([len(sample) for sample in samples], dtype=float)
    ties = np.unique(pooled, return_counts=True)[1].astype(float)
    n = len(pooled)
    expected = (n**2 - (sizes**2).sum()) / 4
    variance = (n * (n - 1) * (2 * n + 5) - sum((t * (t - 1) * (2 * t + 5)).sum() for t in (sizes, ties))) / 72
    variance += np.prod([(t * (t - 1)).sum() for t in (sizes, ties)]) / (8 * n * (n - 1))
    variance += np.prod([(t * (t - 1) * (t - 2)).sum() for t in (sizes, ties)]) / (36 * n * (n - 1) * (n - 2))
    p_rising, p_falling = (
        float(
            scipy.stats.permutation_test(
                samples,
                _rising_pairs,
                vectorized=True,
                n_resamples=ARRANGEMENTS,
                batch=1000,
                alternative=side,
                rng=generator,
            ).pvalue
        )
        for side in ("greater", "less")
    )
    z = (statistic - expected) / np.sqrt(variance)
    return Jonckheere(statistic, float(expected), float(variance), float(z), p_rising, p_falling)


def _rising_pairs(*samples: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """J of groups whose values lie along `axis`, which must be the last one."""
    pairs = combinations(samples, 2)
    rising = [(1 + np.sign(b[..., None, :] - a[..., :, None])).sum(axis=(-2, -1)) / 2 for a, b in pairs]
    return np.asarray(sum(rising))


def _ordered(values: NDArray[np.float64]) -> bool:
    """Whether the values are finite and not all equal."""
    return bool(np.isfinite(values).all() and len(values) > 1 and np.ptp(values) > 0)


def _moving_median(
    curves: Float[Tensor, "population time frequency"], counts: Real[Tensor, "population frequency"], width: int
) -> Float[Tensor, "population time frequency"]:
    """Medians of centred windows, narrower towards the ends, about each of the first `counts` points."""
    smooth = curves.clone()
    position = torch.arange(curves.shape[1], device=curves.device)[None, :, None]
    for radius in range(1, (min(width, curves.shape[1]) - 1) // 2 + 1):
        inner = slice(radius, curves.shape[1] - radius)
        medians = curves.unfold(1, 2 * radius + 1, 1).median(dim=-1).values
        fits = (position[:, inner] + radius < counts[:, None]).expand_as(medians)
        smooth[:, inner] = torch.where(fits, medians, smooth[:, inner])
    return smooth
