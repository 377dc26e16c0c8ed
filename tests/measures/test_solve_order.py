"""When frequencies are solved and in which order, against perfect orders, formulas and all arrangements."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from badger_sweeps.measures.solve_order import (
    SolveIterations,
    jonckheere,
    page_trend,
    solve_iterations,
    solve_order,
)
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning


def once(found: list[warnings.WarningMessage]) -> bool:
    return [item.category for item in found] == [UnmeasurableWarning]


def steps(*firsts: int, length: int = 20) -> Tensor:
    """A member whose curves go from 0 to 1 at these evaluations."""
    return torch.stack([(torch.arange(length) >= first).double() for first in firsts], dim=1)[None]


@pytest.mark.parametrize("smoothing", [1, 3, 5])
def test_rising_curves_are_solved_where_they_come_to_the_level(smoothing: int) -> None:
    iterations = 10 * torch.arange(20) + 7
    ramp = torch.linspace(0, 0.95, 20, dtype=torch.float64)[None, :, None]  # .05 * i: .9 at 18, too late for three
    curves = torch.cat([steps(0, 4, 17, 18, 20), ramp, 2.2 * ramp], dim=2)
    found = solve_iterations(curves, iterations, budget=500, smoothing=smoothing)
    assert found.iterations.tolist() == [[7, 47, 177, 500, 500, 500, 97]]
    assert found.solved.tolist() == [[True, True, True, False, False, False, True]]
    for cast in (torch.float32, torch.float64):
        again = solve_iterations(curves.to(cast), iterations.to(cast), budget=500, smoothing=smoothing)
        assert again.iterations.tolist()[0][:5] == [7, 47, 177, 500, 500]


def test_spikes_and_dips() -> None:
    spike, dip = steps(15), steps(8)
    spike[0, 4], dip[0, 10] = 1, 0
    iterations = torch.arange(20)
    for curve, smoothing, truth in [(spike, 1, 15), (spike, 3, 15), (dip, 1, 11), (dip, 3, 8)]:
        assert solve_iterations(curve, iterations, 99, smoothing=smoothing).iterations.item() == truth
    assert solve_iterations(spike, iterations, 99, in_a_row=1, smoothing=1).iterations.item() == 4
    for height, truth in [(0.89, 99), (0.9, 8)]:
        assert solve_iterations(steps(8) * height, iterations, 99).iterations.item() == truth
    assert solve_iterations(steps(8) * 0.8, iterations, 99, level=0.5).iterations.item() == 8


def test_nothing_after_the_budget_counts() -> None:
    curves = steps(4, 8, 9, length=20)
    found = solve_iterations(curves, torch.arange(20), budget=10)
    assert found.iterations.tolist() == [[4, 8, 10]]
    assert found.solved.tolist() == [[True, True, False]]


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_gaps_close(data: st.DataObject) -> None:
    """Evaluations of NaN or infinity anywhere are as good as left out, for each curve on its own."""
    length = data.draw(st.integers(1, 15))
    values = data.draw(st.lists(st.sampled_from([0.2, 0.95, math.nan, math.inf]), min_size=length, max_size=length))
    smoothing = data.draw(st.sampled_from([1, 3, 5]))
    curve, iterations = torch.tensor(values).double(), torch.arange(length) * 3
    made = curve.isfinite()
    beside = torch.stack([curve, torch.full_like(curve, 0.2)], dim=1)[None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmeasurableWarning)
        found = solve_iterations(beside, iterations, 100, smoothing=smoothing)
        alone = solve_iterations(curve[made][None, :, None], iterations[made], 100, smoothing=smoothing)
    np.testing.assert_equal(found.iterations[:, :1].numpy(), alone.iterations.numpy())
    assert found.solved[0].tolist() == [alone.solved.item(), False]


def test_a_diverged_run_has_not_solved_the_rest() -> None:
    curves = steps(2, 12)
    curves[:, 10:] = torch.nan
    found = solve_iterations(curves, torch.arange(20), 20)
    assert found.iterations.tolist() == [[2, 20]]
    assert found.solved.tolist() == [[True, False]]


def test_too_few_evaluations() -> None:
    curves = steps(2).repeat(2, 1, 1)
    curves[1, 2:] = torch.nan
    with pytest.warns(UnmeasurableWarning, match="solve iterations") as warned:
        found = solve_iterations(curves, torch.arange(20), 20)
    assert once(list(warned))
    assert found.iterations[0].tolist() == [2]
    assert found.iterations[1].isnan().all()
    assert found.solved.tolist() == [[True], [False]]
    for length in range(3):
        with pytest.warns(UnmeasurableWarning):
            assert solve_iterations(steps(0, length=length), torch.arange(length), 20).iterations.isnan().all()


@pytest.mark.parametrize("arguments", [{"in_a_row": 0}, {"smoothing": 2}, {"iterations": torch.zeros(20)}])
def test_impossible_requests(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"in_a_row|iterations"):
        solve_iterations(**({"coherent": steps(2), "iterations": torch.arange(20), "budget": 9} | arguments))


# Orders.


def solved_at(rows: list[list[float]], budget: float = 1000) -> SolveIterations:
    times = torch.tensor(rows, dtype=torch.float64)
    return SolveIterations(times, times < budget)


def test_perfect_orders_and_the_reverse() -> None:
    found = solve_order(solved_at([[10, 20, 30, 40, 50], [50, 40, 30, 20, 10], [30, 30, 30, 30, 60]]))
    torch.testing.assert_close(found.spearman[:2], torch.tensor([1.0, -1]).double())
    torch.testing.assert_close(found.kendall[:2], torch.tensor([1.0, -1]).double())
    torch.testing.assert_close(found.simultaneity, torch.tensor([40 / 30, 40 / 30, 1]).double())
    assert found.solved.tolist() == [5, 5, 5]


def test_one_exchange_and_ties_by_hand() -> None:
    """1 2 4 3 5: one of ten pairs is discordant, tau = .8; rho = 1 - 6*2/120 = .9. With the last two unsolved
    tau_b = 9/sqrt(10*9) and Spearman correlates (1, 2, 3, 4, 5) with the ranks (1, 2, 3, 4.5, 4.5)."""
    found = solve_order(solved_at([[10, 20, 40, 30, 50], [10, 20, 30, 1000, 1000]]))
    assert found.kendall.tolist() == pytest.approx([0.8, 9 / math.sqrt(90)])
    ranks = np.array([1, 2, 3, 4.5, 4.5])
    assert found.spearman.tolist() == pytest.approx([0.9, np.corrcoef(np.arange(5), ranks)[0, 1]])
    assert found.simultaneity.tolist() == pytest.approx([40 / 30, 990 / 30])
    assert found.solved.tolist() == [5, 3]


def test_simultaneity_needs_the_median() -> None:
    rows = [[10.0, 20, 1000, 1000], [10, 20, 30, 1000], [10, 1000, 1000, 1000], [0, 0, 0, 5]]
    with pytest.warns(UnmeasurableWarning) as warned:
        found = solve_order(solved_at(rows))
    assert once(list(warned))
    np.testing.assert_allclose(found.simultaneity, [np.nan, 990 / 25, np.nan, np.nan])
    assert not found.spearman.isnan().any()


def test_unsolved_and_simultaneous_frequencies_are_no_order() -> None:
    rows = [[1000.0] * 4, [30.0] * 4, [math.nan, 1, 2, 3], [1, 2, 3, 4]]
    with pytest.warns(UnmeasurableWarning, match="solve order") as warned:
        found = solve_order(solved_at(rows))
    assert once(list(warned))
    for values in (found.spearman, found.kendall):
        assert values.isnan().tolist() == [True, True, True, False]
    np.testing.assert_allclose(found.simultaneity, [np.nan, 0, np.nan, 3 / 2.5])
    assert found.solved.tolist() == [0, 4, 3, 4]


def test_page_of_three_perfect_orders() -> None:
    """3 seeds, 5 frequencies: L = 165, E = 135, and the one best of 120^3 tables of ranks."""
    low = page_trend(solved_at([[1, 2, 3, 4, 5], [10, 20, 30, 40, 50], [2, 4, 8, 16, 32]]))
    assert (low.low_first, low.high_first, low.expected, low.members) == (165, 105, 135, 3)
    assert low.p_low_first == pytest.approx(120.0**-3)
    assert low.p_high_first == pytest.approx(1)
    high = page_trend(solved_at([[5, 4, 3, 2, 1], [50, 40, 30, 20, 10], [32, 16, 8, 4, 2]]))
    assert high[:4] == (low[2], low[3], low[0], low[1])


def test_page_against_its_formula() -> None:
    """By hand, and with the asymptotic p-value of (L - E)/sqrt(Var), Var = 75 for 3 x 5."""
    rows = np.random.default_rng(0).permuted(np.tile(np.arange(1.0, 11), (12, 1)), axis=1)
    found = page_trend(solved_at(rows.tolist()))
    assert found.low_first == (rows * np.arange(1, 11)).sum()
    assert found.high_first == (rows * np.arange(10, 0, -1)).sum()
    assert found.low_first + found.high_first == 2 * found.expected
    variance = 12 * 100 * 11 * 99 / 144
    z = (found.low_first - found.expected) / math.sqrt(variance)
    # Exact and asymptotic p-values of 12 x 10 differ by less than .003.
    assert found.p_low_first == pytest.approx(stats.norm.sf(z), abs=3e-3)
    assert found.p_high_first == pytest.approx(stats.norm.cdf(z), abs=3e-3)


def test_members_without_an_order_have_no_vote() -> None:
    rows = [[1.0, 2, 3, 4, 5], [1, 2, 4, 3, 5]]
    with_others = [*rows, [1000] * 5, [7] * 5, [1, math.nan, 2, 3, 4]]
    assert page_trend(solved_at(with_others)) == page_trend(solved_at(rows))


@pytest.mark.parametrize("rows", [[[1000.0] * 5] * 8, [[1.0, 2, 3, 4, 5]], [[1.0, 2]] * 5, [[math.nan] * 5] * 3])
def test_unsolved_is_never_ordered(rows: list[list[float]]) -> None:
    with pytest.warns(UnmeasurableWarning, match="page trend") as warned:
        found = page_trend(solved_at(rows))
    assert once(list(warned))
    assert np.isnan(found[:5]).all()


def test_ties_make_page_careful() -> None:
    """Without an order, with three of five frequencies unsolved, p < .05 in no more than 5 % of cases. 600 cases at a
    rate of .05 give more than 43 once in 500 times."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(600):
        times = rng.random((6, 5))
        times = np.minimum(times, np.sort(times, axis=1)[:, [2]])
        hits += page_trend(solved_at(times.tolist())).p_low_first < 0.05
    assert hits <= 43


def test_jonckheere_of_three_ordered_pairs() -> None:
    found = jonckheere([[1, 2], [3, 4], [5, 6]], np.random.default_rng(0))
    assert found[:3] == pytest.approx((12, 6, 6 + 1 / 3))
    assert found.z == pytest.approx(2.384, abs=5e-4)
    assert found.p_rising == pytest.approx(1 / 90)  # one of 6!/(2! 2! 2!) arrangements
    assert found.p_falling == pytest.approx(1)


@pytest.mark.parametrize(
    "groups",
    [[[1, 2, 5], [3, 4], [2.5, 6]], [[1, 9, 9], [3, 9], [9, 9]], [[1, 1, 2], [2, 3], [3, 3]], [[4, 2], [1, 2]]],
)
def test_jonckheere_against_every_arrangement(groups: list[list[float]]) -> None:
    """J, its mean, its variance with ties, and p, over all permutations of the pooled values."""
    edges = np.cumsum([0, *map(len, groups)])

    def j(values: tuple[float, ...]) -> float:
        parts = [values[start:end] for start, end in itertools.pairwise(edges)]
        pairs = [(a, b) for one, other in itertools.combinations(parts, 2) for a in one for b in other]
        return sum((a < b) + (a == b) / 2 for a, b in pairs)

    pooled = tuple(value for group in groups for value in group)
    null = np.array([j(values) for values in itertools.permutations(pooled)])
    found = jonckheere(groups, np.random.default_rng(0))
    assert found.statistic == j(pooled)
    assert found.expected == pytest.approx(null.mean())
    assert found.variance == pytest.approx(null.var())
    assert found.p_rising == pytest.approx((null >= j(pooled) - 1e-9).mean())
    assert found.p_falling == pytest.approx((null <= j(pooled) + 1e-9).mean())


def test_jonckheere_of_two_groups_is_mann_whitney() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=30), rng.normal(size=25) + 0.4
    found = jonckheere([one, other], np.random.default_rng(1))
    oracle = stats.mannwhitneyu(other, one, use_continuity=False, method="asymptotic", alternative="greater")
    assert found.statistic == oracle.statistic
    assert stats.norm.sf(found.z) == pytest.approx(oracle.pvalue)
    # From 9999 random arrangements: four binomial deviations.
    assert found.p_rising == pytest.approx(oracle.pvalue, abs=4 * math.sqrt(oracle.pvalue / 9999) + 1e-3)
    assert found == jonckheere([one, other], np.random.default_rng(1))


@pytest.mark.parametrize(
    "groups", [[], [[1.0, 2]], [[1.0, 2], []], [[1.0, 2], [3]], [[1.0, math.nan], [2, 3]], [[5.0, 5], [5, 5, 5]]]
)
def test_groups_without_an_order(groups: list[list[float]]) -> None:
    with pytest.warns(UnmeasurableWarning, match="Jonckheere") as warned:
        assert np.isnan(jonckheere(groups, np.random.default_rng(0))).all()
    assert once(list(warned))
