"""Verdicts follow from tests that are done by hand here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from badger_sweeps.reporting.inference.evidence import (
    NOT_REPRODUCED,
    REPRODUCED,
    UNDECIDED,
    Finding,
    above,
    below,
    few,
    judge_findings,
    most,
    ordered,
    rank_correlation,
    unknown,
    verdict,
    within,
)
from badger_sweeps.statistics.multiple_testing import SIGNIFICANCE

EIGHT = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])


def test_eight_seeds_that_agree_have_the_smallest_p_there_is() -> None:
    found = above("x", EIGHT, 0.5, "bits")
    assert (found.p_for, found.p_against, found.seeds) == (2 / 2**8, 1.0, 8)
    assert found.effect is not None
    assert found.effect.value == 4.5
    assert found.effect.low is not None
    other = below("x", EIGHT, 0.5, "bits")
    assert (other.p_for, other.p_against) == (1.0, 2 / 2**8)


def test_p_counts_the_sign_patterns_as_extreme_as_what_was_seen() -> None:
    """Of the 2^6 ways to sign 1..6 and 0.5, counted one by one."""
    values = np.array([-1.0, 2, 3, 4, 5, 6])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    means = (signs * np.abs(values)).mean(axis=1)
    expected = (np.abs(means) >= values.mean() - 1e-12).mean()
    assert above("x", values, 0.0, "").p_for == pytest.approx(expected)


def test_seeds_without_a_value_are_left_out_and_fewer_than_six_are_not_tested() -> None:
    gaps = np.array([1.0, 2, 3, 4, 5, 6, np.nan, np.inf])
    assert above("x", gaps, 0.0, "").seeds == 6
    few = above("x", gaps[1:], 0.0, "")
    assert few.p_for is None
    assert few.missing == "could be measured on 5 seeds, and it takes 6"
    assert most("x", [True] * 5 + [None] * 3).p_for is None
    assert above("x", [], 0.0, "").effect is None


def test_seeds_that_are_left_out_are_counted_with_the_reason() -> None:
    gaps = np.array([1.0, 2, 3, 4, 5, 6, np.nan, np.inf])
    assert above("x", gaps, 0.5, "bits").unit == "bits (2 of 8 seeds without a value), compared with 0.5"
    assert below("x", gaps, 0.5, "bits", "that stayed at chance").unit.startswith("bits (2 of 8 seeds that stayed at")
    assert within("x", gaps, 0.0, 9.0, "bits").unit.startswith("bits (2 of 8 seeds without a value), asked to lie")
    assert above("x", gaps[2:], 0.5, "bits").unit.startswith("bits (2 of 6 seeds without a value)")  # not tested
    assert above("x", EIGHT, 0.5, "bits").unit == "bits, compared with 0.5"


def test_equivalence_takes_the_larger_of_two_one_sided_tests() -> None:
    inside = within("x", EIGHT, 0.0, 20.0, "")
    assert inside.p_for == 1 / 2**8  # all above the one bound and below the other
    assert inside.p_against == 1.0
    outside = within("x", EIGHT, 20.0, 30.0, "")
    assert outside.p_for == 1.0
    assert outside.p_against == 2 / 2**8
    astride = within("x", EIGHT, 4.0, 30.0, "")
    assert astride.p_for is not None
    assert astride.p_for > 0.1
    assert astride.p_against == 1.0


def test_shares_are_compared_with_one_half() -> None:
    found = most("x", [True] * 8)
    assert found.p_for == pytest.approx(2 / 2**8)
    none = most("x", [False] * 8)
    assert (none.p_for, none.p_against) == (1.0, pytest.approx(2 / 2**8))
    seven = most("x", [True] * 7 + [False])
    assert seven.p_for == pytest.approx(stats.binomtest(7, 8).pvalue)


def test_a_few_seeds_may_show_by_chance_what_is_not_there() -> None:
    """Of eight: 0.05 and a third are the bound, on whose two sides the two hypotheses lie."""
    bound = 0.05 + 1 / 3
    none = few("x", [False] * 8, 0.05)
    beyond = sum(stats.binom.pmf(k, 8, bound) for k in (7, 8))  # no more likely than none is: the other tail
    assert stats.binom.pmf(7, 8, bound) < (1 - bound) ** 8 < stats.binom.pmf(6, 8, bound)
    assert (none.p_for, none.p_against) == (pytest.approx((1 - bound) ** 8 + beyond), 1.0)
    assert judge_findings([none])[0].holds is True
    seven = few("x", [True] * 7 + [False], 0.05)
    assert (seven.p_for, seven.p_against) == (1.0, pytest.approx(beyond))
    assert judge_findings([seven])[0].holds is False
    for count in range(1, 7):  # four of eight are more than by chance, and may still be few
        assert judge_findings([few("x", [True] * count + [False] * (8 - count), 0.05)])[0].holds is None
    assert few("x", [None] * 3 + [True] * 5, 0.05).p_for is None


@pytest.mark.parametrize("chance", [0.01, 0.05, 0.1, 0.25, 0.5])
def test_no_count_of_seeds_speaks_for_a_few_and_against_them(chance: float) -> None:
    """Of all small numbers of seeds and some larger ones; and more of them that show it never speak more for it."""
    for seeds in (*range(6, 25), 32, 48, 64):
        found = [few("x", [True] * count + [False] * (seeds - count), chance) for count in range(seeds + 1)]
        p_values = [
            (each.p_for, each.p_against) for each in found if each.p_for is not None and each.p_against is not None
        ]
        assert len(p_values) == seeds + 1
        assert not any(p_for < SIGNIFICANCE and p_against < SIGNIFICANCE for p_for, p_against in p_values)
        verdicts = [judge_findings([each])[0].holds for each in found]
        order = {True: 0, None: 1, False: 2}
        assert [order[holds] for holds in verdicts] == sorted(order[holds] for holds in verdicts)


def test_rank_correlations_are_of_what_is_known() -> None:
    x, y = [1.0, 2, 3, 4, np.nan, 6], [2.0, 1, 4, 3, 9, np.inf]
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x[:4], y[:4]).statistic)
    assert rank_correlation(x, [1.0] * 6) == 0.0
    assert np.isnan(rank_correlation(x[:2], y[:2]))


def test_the_sign_of_a_coefficient_decides_for_whom_its_p_speaks() -> None:
    assert ordered("x", -0.9, 0.01, 9, "", "t", sign=-1).p_for == 0.01
    assert ordered("x", 0.9, 0.01, 9, "", "t", sign=-1).p_against == 0.01
    assert ordered("x", np.nan, np.nan, 9, "", "t", sign=-1).missing


def test_opposites_are_adjusted_for_the_number_of_parts_and_what_holds_is_not() -> None:
    """Against: 0.02 * 4, 0.03 * 3, and no less than that (Holm). For: all parts must hold at the level itself."""
    against = [Finding(str(p), None, "", 8, p_for=1.0, p_against=p) for p in (0.03, 0.02, 0.04)]
    held = Finding("h", None, "", 8, p_for=0.04, p_against=1.0)
    found = judge_findings([*against, held, unknown("u", "was not measured")])
    assert [finding.p_value for finding in found[:3]] == pytest.approx([0.09, 0.08, 0.09])  # of four that were tested
    assert [finding.holds for finding in found] == [None, None, None, True, None]
    secondary = judge_findings([held.secondary(), held.secondary()])
    assert [finding.holds for finding in secondary] == [None, None]
    assert secondary[0].p_value == pytest.approx(0.08)


HOLDS = Finding("a", None, "", 8, p_for=0.001, p_against=1.0)
OPPOSITE = Finding("b", None, "", 8, p_for=1.0, p_against=0.001)
OPEN = Finding("c", None, "", 8, p_for=0.5, p_against=1.0)


@pytest.mark.parametrize(
    ("parts", "kind", "because"),
    [
        ([HOLDS, HOLDS], REPRODUCED, ""),
        ([HOLDS, OPPOSITE], NOT_REPRODUCED, "by the bounds set here it is not so that “b”; 1 of 2 parts hold"),
        ([OPEN, OPPOSITE], NOT_REPRODUCED, "by the bounds set here it is not so that “b”"),
        ([HOLDS, OPEN], UNDECIDED, "“c” was neither shown nor refuted (p = 0.5)"),
        ([HOLDS, unknown("d", "was not to be seen")], UNDECIDED, "“d” was not to be seen"),
        ([HOLDS, OPPOSITE.secondary()], REPRODUCED, ""),
        ([HOLDS.secondary()], UNDECIDED, "no part of it was tested"),
    ],
)
def test_the_verdict(parts: list[Finding], kind: str, because: str) -> None:
    found = verdict(judge_findings(parts), quick=False)
    assert (found.kind, found.because) == (kind, because)


def test_the_quick_scale_decides_nothing() -> None:
    found = verdict(judge_findings([HOLDS]), quick=True)
    assert str(found) == "cannot be decided, because only the quick scale was run"


def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    """Of 400 claims about nothing, 5 % may be decided either way: at most 32 by chance but for 1 in 1000 (binomial)."""
    rng = np.random.default_rng(0)
    decided = sum(
        judge_findings([above("x", rng.standard_normal(8), 0.0, "")])[0].holds is not None for _ in range(400)
    )
    assert decided <= stats.binom.ppf(0.999, 400, SIGNIFICANCE)
