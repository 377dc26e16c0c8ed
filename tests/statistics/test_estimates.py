"""Statistics against closed forms and hand-worked examples."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.stats
from lifelines import KaplanMeierFitter
from statsmodels.stats.meta_analysis import effectsize_smd

from badger_sweeps.measures.objectives import objective, per_seed
from badger_sweeps.measures.outcome_of_history import outcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.statistics.estimates import (
    censored_at,
    mean,
    paired_difference,
    share,
    sign_flip,
    sign_flip_permutation,
    standardized_mean,
)
from badger_sweeps.statistics.survival import kaplan_meier


def test_kaplan_meier_worked_by_hand() -> None:
    """2, 4, 4, 6+, 6+: S = 0.8 from 2, 0.4 from 4; median 4; restricted mean to 6 is 4.4."""
    times = [2, 4, 4, None, None]
    curve = kaplan_meier(times, budget=6)
    assert dict(zip(curve.time, curve.surviving.round(12), strict=True)) == {0: 1, 2: 0.8, 4: 0.4, 6: 0.4}
    assert curve.median == 4
    assert mean(censored_at(times, 6)).value == pytest.approx(4.4)
    assert np.trapezoid([1, 1, 0.8, 0.8, 0.4, 0.4], [0, 2, 2, 4, 4, 6]) == pytest.approx(4.4)


def test_greenwood_log_log_interval() -> None:
    """At S = 0.8 of 5: theta = sqrt(sum d/(n(n-d))) / |ln S|, bounds S^exp(+-1.96 theta)."""
    curve = kaplan_meier([2, 4, 4, None, None], budget=6)
    theta = (1 / (5 * 4)) ** 0.5 / abs(np.log(0.8))
    assert curve.low[1] == pytest.approx(0.8 ** np.exp(1.959964 * theta), abs=1e-6)
    assert curve.high[1] == pytest.approx(0.8 ** np.exp(-1.959964 * theta), abs=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_survival_curves_are_those_of_lifelines(seed: int) -> None:
    """Curve and interval, with ties, with all members and with none reaching the event; the median by its definition.

    That of lifelines is late where rounding leaves its curve above one half, which the curve of 8 members can be.
    """
    rng = np.random.default_rng(seed)
    late = rng.choice([0.0, 0.3, 0.9, 1.0])
    drawn = rng.integers(1, rng.choice([3, 30, 200]), rng.integers(1, 20)).tolist()
    times = [None if rng.random() < late else time for time in drawn]
    budget = int(rng.choice([10, 100, 200]))
    curve = kaplan_meier(times, budget)
    reached = [time is not None and time <= budget for time in times]
    fit = KaplanMeierFitter().fit(censored_at(times, budget), reached)
    assert curve.time.tolist() == fit.survival_function_.index.tolist()
    np.testing.assert_allclose(curve.surviving, fit.survival_function_.iloc[:, 0], rtol=1e-12)
    interval = fit.confidence_interval_survival_function_
    np.testing.assert_allclose(np.stack([curve.low, curve.high], axis=1), interval, rtol=1e-12, atol=1e-12)
    half = curve.time[curve.surviving <= 0.5 + 1e-12]
    assert curve.median == (half[0] if sum(reached) > len(reached) / 2 else None)
    assert curve.median is None or curve.median <= fit.median_survival_time_


@pytest.mark.parametrize("times", [[1, 2, None, None], [None, None], [1, None, None]])
def test_no_median_unless_more_than_half_escaped(times: list[int | None]) -> None:
    assert kaplan_meier(times, 6).median is None


def test_times_beyond_the_budget_are_censored() -> None:
    assert censored_at([3, 9, None], 6).tolist() == [3, 6, 6]
    assert kaplan_meier([3, 9, None], 6).surviving[-1] == pytest.approx(2 / 3)


def test_wilson_interval() -> None:
    """8 of 10: centre (8 + z^2/2)/(10 + z^2), half width z/(10 + z^2) sqrt(8*2/10 + z^2/4)."""
    z = 1.959964
    estimate = share(8, 10)
    centre, half = (8 + z**2 / 2) / (10 + z**2), z / (10 + z**2) * (8 * 2 / 10 + z**2 / 4) ** 0.5
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.8, centre - half, centre + half), abs=1e-6)


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5, 6, 7], [5.0] * 8])
def test_no_interval_where_none_can_be_claimed(values: list[float]) -> None:
    estimate = mean(values)
    assert estimate == (np.mean(values), None, None)


def test_bootstrap_interval_covers_as_it_should() -> None:
    """BCa intervals of 20 normal values are known to be narrow: about 92 % cover. 300 draws: standard error 1.6 %."""
    rng = np.random.default_rng(0)
    covered = [estimate.low < 0 < estimate.high for estimate in (mean(rng.normal(size=20)) for _ in range(300))]
    assert 0.87 < np.mean(covered) < 0.97


def test_intervals_are_the_same_every_time() -> None:
    values = np.random.default_rng(1).normal(size=12)
    np.random.default_rng(2)
    assert mean(values) == mean(values)


def test_sign_flip_test_is_exact() -> None:
    """Six pairs all in one direction: 2 of the 64 sign patterns are as extreme."""
    first, second = np.arange(6.0), np.arange(6.0) + np.array([1, 2, 2, 1, 2, 3])
    result = paired_difference(first, second)
    assert result.p_value == pytest.approx(2 / 64)
    assert result.difference.value == pytest.approx(11 / 6)
    assert paired_difference(second, first).difference.value == pytest.approx(-11 / 6)


def test_sign_flip_test_against_enumeration() -> None:
    differences = np.array([3.0, -1, 4, -1, 5, -2, 6])
    means = [np.mean(signs * differences) for signs in product([1, -1], repeat=7)]
    expected = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)
    assert paired_difference(np.zeros(7), differences).p_value == pytest.approx(expected)


@pytest.mark.parametrize(
    "values",
    [[3.0, -1, 4, -1, 5, -2, 6], [0.0, 1, 1, 2, -3, 0, 4, 1], [0.0] * 6, [1.0, 2, 3, 4, 5, 6], [-1.0, -2, -3, -4, -5]],
)
def test_one_sided_sign_flip_tests_against_enumeration(values: list[float]) -> None:
    means = np.array([np.mean(signs * np.array(values)) for signs in product([1, -1], repeat=len(values))])
    found = np.mean(values)
    extreme = {"greater": means >= found - 1e-12, "less": means <= found + 1e-12}
    for alternative in ("greater", "less"):
        assert sign_flip_permutation(values, alternative) == pytest.approx(extreme[alternative].mean())
    assert sign_flip(values, "greater") == pytest.approx(extreme["greater"].mean())


def test_random_flips_alone_give_no_less_than_their_number_allows() -> None:
    assert sign_flip_permutation(np.arange(1.0, 17), "two-sided") == pytest.approx(2 / 10000)
    assert sign_flip_permutation(np.arange(1.0, 17), "less") == 1.0
    assert sign_flip(np.arange(1.0, 17)) == 2.0**-15


def test_five_pairs_are_too_few_to_test() -> None:
    assert paired_difference(np.zeros(5), np.ones(5)).p_value is None


def member(seed: int, *levels: float) -> dict[str, np.ndarray]:
    loss = np.repeat(levels, 5).astype(np.float32)
    diverged = (~np.isfinite(loss)).astype(np.float32)
    return {
        "loss": loss,
        "grad_norm": np.ones_like(loss),
        "diverged": diverged,
        **{f"loss_dim/{dim}": loss for dim in range(4)},
    }


def test_objectives_count_censored_and_diverged_seeds() -> None:
    staircase = Staircase(parts=4, block=5)
    quick = outcome(0, member(0, *[1] * 8, *[0.01] * 12), staircase)
    never = outcome(1, member(1, *[1] * 20), staircase)
    diverged = outcome(2, member(2, *[1] * 8, *[0.01] * 10, np.nan), staircase)
    outcomes = (quick, never, diverged)
    assert diverged.diverged
    assert (diverged.escape_iteration, diverged.solved_iteration, diverged.final_loss) == (None, None, None)
    assert per_seed("escape_iteration", outcomes, 100).tolist() == [40, 100, 100]
    assert per_seed("solved_iteration", outcomes, 100).tolist() == [40, 100, 100]
    assert per_seed("plateau_iterations", outcomes, 100).tolist() == [40, 100, 100]
    assert per_seed("final_loss", outcomes, 100).tolist() == pytest.approx([0.01, 1, 1])
    assert objective("escape_iteration", outcomes, 100) == (80, None, None)


def test_histories_of_before_divergence_was_a_column() -> None:
    """There a loss or a gradient that is not finite has diverged."""
    staircase = Staircase(parts=4, block=5)
    for name, value in (("loss", np.nan), ("grad_norm", np.nan), ("grad_norm", np.inf)):
        columns = {key: values.copy() for key, values in member(0, *[1] * 20).items() if key != "diverged"}
        assert not outcome(0, columns, staircase).diverged
        columns[name][-1] = value
        assert outcome(0, columns, staircase).diverged


def test_an_outcome_tells_what_was_solved_on_each_plateau() -> None:
    columns = member(0, *[1] * 12, *[0.5] * 12)
    columns["loss_dim/0"] = np.repeat([1, 0.02], 60).astype(np.float32)
    columns["loss_dim/1"] = np.repeat([1, 0.98], 60).astype(np.float32)
    first, second = outcome(0, columns, Staircase(parts=4, block=5)).plateaus
    assert (first.staircase_level, second.staircase_level) == (1, 0.5)
    assert second.loss_dim == pytest.approx([0.02, 0.98, 0.5, 0.5], abs=1e-6)
    assert second.grad_norm == 1


def test_the_effect_is_the_t_statistic_over_the_root_of_n_with_hedges_correction() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 12))
    differences = second - first
    # statsmodels compares two groups; a second one of a single value adds no degree of freedom and no variance.
    expected, _ = effectsize_smd(differences.mean(), differences.std(ddof=1), 12, 0.0, 0.0, 1)
    t = scipy.stats.ttest_rel(second, first).statistic
    assert expected == pytest.approx(t / np.sqrt(12) * 0.9299, rel=5e-4)  # the exact factor of 11 degrees of freedom
    effect = paired_difference(first, second).effect
    assert effect is not None
    assert effect.value == pytest.approx(expected)
    assert effect.low is not None
    assert effect.high is not None
    assert effect.low < effect.value < effect.high
    assert paired_difference(first, second).lower == (second < first).sum()
    assert paired_difference(first, second).higher == (second > first).sum()


def test_the_effect_is_free_of_bias_where_differences_are_normal() -> None:
    """Mean over 20000 samples of 8 of effect 1; Hedges' factor 0.889 takes the bias of a tenth away.

    The standard error of the mean is 0.46/sqrt(20000) = 0.003, so that 0.013 is four of them; what is left of the bias
    (the factor is approximate) is below 0.002.
    """
    samples = np.random.default_rng(5).normal(1, 1, (20000, 8))
    values = [estimate.value for sample in samples[:200] if (estimate := standardized_mean(sample[:7])) is not None]
    assert len(values) == 200  # below eight there is no bootstrap, which would take long
    d = samples.mean(1) / samples.std(1, ddof=1)
    estimates = [standardized_mean(sample) for sample in samples[:3]]
    factor = [estimate.value / raw for estimate, raw in zip(estimates, d, strict=False) if estimate is not None]
    assert factor == pytest.approx([factor[0]] * 3)
    assert (factor[0] * d).mean() == pytest.approx(1, abs=0.015)


@pytest.mark.parametrize("pairs", [8, 13, 14, 20, 40])
def test_where_all_pairs_agree_the_sign_flip_test_is_exact(pairs: int) -> None:
    """Of all 2^n ways to flip signs two are as extreme: none and all. Random flips alone give 2/10000 at least."""
    differences = np.random.default_rng(1).uniform(1, 2, pairs)
    for sign in (1, -1):
        assert paired_difference(np.zeros(pairs), sign * differences).p_value == pytest.approx(2 / 2.0**pairs)
    differences[0] *= -1
    p_value = paired_difference(np.zeros(pairs), differences).p_value
    assert p_value is not None
    assert p_value > 2 / 2.0**pairs


def test_an_effect_needs_differences_that_differ() -> None:
    assert paired_difference(np.zeros(8), np.ones(8)).effect is None
    assert standardized_mean([1.0, 2.0]) is None
    few = standardized_mean([1.0, 2.0, 3.0])
    assert few is not None
    assert few[1:] == (None, None)
