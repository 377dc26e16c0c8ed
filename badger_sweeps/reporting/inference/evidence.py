"""The findings of a study: the parts of its claim, each with an effect, an interval and a test, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from badger_sweeps.statistics.estimates import FEWEST_PAIRS, Estimate, mean, share, sign_flip_permutation
from badger_sweeps.statistics.multiple_testing import SIGNIFICANCE, holm

BEYOND_CHANCE = 1 / 3
"""How far the share of seeds tested by `few` may lie above the share expected by chance.

A third: a claim about all seeds then holds for at least two seeds for each one for which it does not, and eight seeds,
the number in a standard study, are enough to show it.
"""
REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "cannot be decided"


@dataclass(frozen=True)
class Finding:
    """One part of a claim, with the evidence of the runs for and against it.

    Attributes:
        statement: what is true if the claim holds.
        effect: the measured quantity, with its 95 % interval over seeds (BCa; Wilson for shares).
        unit: of the effect, and the value that it is compared with.
        seeds: how many seeds were tested.
        test: name of the test.
        p_for: of the null hypothesis that the statement is false; small values are evidence for it. None: not tested.
        p_against: of the null hypothesis that the statement is true; small values are evidence against it.
        decides_verdict: whether the verdict depends on this finding; if not, it is secondary.
        holds: set by `judge_findings`: True if shown, False if refuted, None if neither.
        p_value: set by `judge_findings`: the smaller p-value, adjusted for multiple testing where necessary.
        missing: why the statement could not be tested; empty if it was tested.
    """

    statement: str
    effect: Estimate | None
    unit: str
    seeds: int
    test: str = ""
    p_for: float | None = None
    p_against: float | None = None
    decides_verdict: bool = True
    holds: bool | None = None
    p_value: float | None = None
    missing: str = ""

    def secondary(self) -> Finding:
        """The same finding as a secondary one, on which the verdict does not depend."""
        return replace(self, decides_verdict=False)


WITHOUT_VALUE = "without a value"


def above(statement: str, values: ArrayLike, threshold: float, unit: str, without: str = WITHOUT_VALUE) -> Finding:
    """The finding that a mean over seeds lies above a threshold: two-sided sign-flip test of the distances from it.

    Seeds without a value (NaN) are left out. `seeds` does not count them, and the unit says how many they are and why
    (`without`). Fewer than six seeds are not tested.
    """
    return _one_sided(statement, values, threshold, unit, without, sign=1)


def below(statement: str, values: ArrayLike, threshold: float, unit: str, without: str = WITHOUT_VALUE) -> Finding:
    """The finding that a mean over seeds lies below a threshold, tested like `above`."""
    return _one_sided(statement, values, threshold, unit, without, sign=-1)


def within(statement: str, values: ArrayLike, low: float, high: float, unit: str) -> Finding:
    """The finding that a mean over seeds lies between two bounds: an equivalence test.

    `p_for` is the larger p-value of two one-sided sign-flip tests, one for each bound. `p_against` is 1 for a mean
    between the bounds, else the p-value of the two-sided test of the distances from the bound that the mean exceeds.
    """
    known = _known(values)
    unit = f"{unit}{_left_out(values, WITHOUT_VALUE)}, asked to lie within {low:.3g} to {high:.3g}"
    if len(known) < FEWEST_PAIRS:
        return _too_few(statement, known, unit)
    p_for = max(sign_flip_permutation(known - low, "greater"), sign_flip_permutation(known - high, "less"))
    beyond = low if known.mean() < low else high if known.mean() > high else None
    p_against = 1.0 if beyond is None else sign_flip_permutation(known - beyond, "two-sided")
    return Finding(statement, mean(known), unit, len(known), "equivalence, sign flips", p_for, p_against)


def most(statement: str, flags: Sequence[bool | None], unit: str = "of seeds") -> Finding:
    """The finding that a property holds in more than half of the seeds: two-sided exact binomial test of one half.

    None is the flag of a seed in which the property could not be determined; it is not counted.
    """

    def p_values(count: int, seeds: int) -> tuple[float, float]:
        p = float(scipy.stats.binomtest(count, seeds).pvalue)
        return (p, 1.0) if 2 * count > seeds else (1.0, p)

    return _counted(statement, flags, f"{unit}, compared with one half", p_values)


def few(statement: str, flags: Sequence[bool | None], chance: float, unit: str = "of seeds") -> Finding:
    """The finding that the share of seeds with a property exceeds the share expected by chance by little.

    "By little" means by less than `BEYOND_CHANCE`: the bound is `chance + BEYOND_CHANCE`. A share below the bound is
    evidence for the statement, one above it evidence against it, by the two-sided exact binomial test of the bound.
    The two hypotheses exclude each other, so that the same seeds are never evidence for both. A share above `chance`
    alone does not refute the statement, since the excess may still be small. With `chance` 0.05 at least eight seeds
    are necessary for a decision: none of the eight with the property shows the statement, seven or more refute it, and
    one to six leave it open.

    Args:
        statement: what is tested.
        flags: whether each seed has the property; None where it could not be determined.
        chance: the probability that a seed has the property by chance; below 1 - BEYOND_CHANCE.
        unit: of the share.
    """
    bound = chance + BEYOND_CHANCE

    def p_values(count: int, seeds: int) -> tuple[float, float]:
        p = float(scipy.stats.binomtest(count, seeds, bound).pvalue)
        return (p, 1.0) if count < bound * seeds else (1.0, p)

    unit = f"{unit}, compared with {bound:.3g}: {chance:.3g} by chance, and {BEYOND_CHANCE:.3g}"
    return _counted(statement, flags, unit, p_values)


def ordered(statement: str, coefficient: float, p_value: float, count: int, unit: str, test: str, sign: int) -> Finding:
    """The finding that a coefficient has the given sign, with the p-value of a two-sided test made by the caller."""
    if not np.isfinite([coefficient, p_value]).all():
        return Finding(statement, None, unit, count, missing="all values are equal or missing")
    right = coefficient * sign > 0
    return Finding(
        statement, Estimate(coefficient, None, None), unit, count, test, p_value if right else 1.0,
        1.0 if right else p_value,
    )  # fmt: skip


def unknown(statement: str, why: str, unit: str = "") -> Finding:
    """A finding that could not be tested, with the reason."""
    return Finding(statement, None, unit, 0, missing=why)


def judge_findings(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with `holds` and `p_value`.

    A claim is reproduced if all of its parts hold, so that `p_for` of the parts needs no adjustment (an intersection of
    hypotheses). A claim is not reproduced if any part is refuted, so that `p_against` of the parts is adjusted for
    their number (Holm). Both p-values of secondary findings are adjusted for the number of secondary findings.
    """
    found = list(findings)
    for decides_verdict in (True, False):
        indices = [index for index, finding in enumerate(found) if finding.decides_verdict == decides_verdict]
        p_for, p_against = [found[index].p_for for index in indices], [found[index].p_against for index in indices]
        p_for = p_for if decides_verdict else holm(p_for)
        for index, supporting, opposing in zip(indices, p_for, holm(p_against), strict=True):
            if supporting is None or opposing is None:
                continue
            holds = True if supporting < SIGNIFICANCE else False if opposing < SIGNIFICANCE else None
            found[index] = replace(found[index], p_value=min(supporting, opposing), holds=holds)
    return found


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation over the entries at which both are finite.

    NaN for fewer than three such entries, 0 where either variable is constant.
    """
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 3:
        return float("nan")
    if not np.ptp(x[known]) or not np.ptp(y[known]):
        return 0.0
    return float(scipy.stats.spearmanr(x[known], y[known]).statistic)


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim.

    Attributes:
        kind: `REPRODUCED`, `NOT_REPRODUCED` or `UNDECIDED`.
        because: the reason, a clause; empty where all parts were shown.
        remark: what the study adds to the verdict, a clause; empty where it adds nothing.
    """

    kind: str
    because: str = ""
    remark: str = ""

    def __str__(self) -> str:
        joint = ", because " if self.kind == UNDECIDED else ": "
        text = f"{self.kind}{joint}{self.because}" if self.because else self.kind
        return f"{text}; {self.remark}" if self.remark else text


def verdict(findings: Sequence[Finding], quick: bool) -> Verdict:
    """The verdict that follows from judged findings.

    Reproduced: every part was shown. Not reproduced: some part was refuted, that is, the measured effect lies beyond
    the bound that the part sets. Undecided: anything else.

    Args:
        findings: judged.
        quick: whether the runs are of the quick scale, which tests the code and decides nothing.
    """
    if quick:
        return Verdict(UNDECIDED, "only the quick scale was run")
    parts = [finding for finding in findings if finding.decides_verdict]
    against = [finding for finding in parts if finding.holds is False]
    held = [finding for finding in parts if finding.holds]
    if against:
        reason = "by the bounds set here it is not so that “" + "”, nor that “".join(part.statement for part in against)
        reason += f"”; {len(held)} of {len(parts)} parts hold" if held else "”"
        return Verdict(NOT_REPRODUCED, reason)
    if parts and len(held) == len(parts):
        return Verdict(REPRODUCED)
    reasons = [f"“{part.statement}” {_why_open(part)}" for part in parts if part.holds is None]
    return Verdict(UNDECIDED, "; ".join(reasons) or "no part of it was tested")


def _one_sided(statement: str, values: ArrayLike, threshold: float, unit: str, without: str, sign: int) -> Finding:
    known = _known(values)
    unit = f"{unit}{_left_out(values, without)}, compared with {threshold:.3g}"
    if len(known) < FEWEST_PAIRS:
        return _too_few(statement, known, unit)
    p = sign_flip_permutation(known - threshold, "two-sided")
    right = (known.mean() - threshold) * sign > 0
    return Finding(statement, mean(known), unit, len(known), "sign flips", p if right else 1.0, 1.0 if right else p)


def _counted(
    statement: str, flags: Sequence[bool | None], unit: str, p_values: Callable[[int, int], tuple[float, float]]
) -> Finding:
    """The share of flags that are set, with the p-values (for, against) of their number; None is not counted."""
    known = [flag for flag in flags if flag is not None]
    if len(known) < FEWEST_PAIRS:
        return Finding(statement, None, unit, len(known), missing=_few(len(known)))
    count = sum(known)
    return Finding(statement, share(count, len(known)), unit, len(known), "binomial", *p_values(count, len(known)))


def _known(values: ArrayLike) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.asarray(values, dtype=float)
    return np.asarray(array[np.isfinite(array)])


def _left_out(values: ArrayLike, without: str) -> str:
    """How many seeds were not tested, and why; empty where all were."""
    count, seeds = len(_known(values)), np.size(values)
    return f" ({seeds - count} of {seeds} seeds {without})" if count < seeds else ""


def _too_few(statement: str, known: NDArray[np.float64], unit: str) -> Finding:
    effect = mean(known) if len(known) else None
    return Finding(statement, effect, unit, len(known), missing=_few(len(known)))


def _few(count: int) -> str:
    return f"could be measured on {count} seeds, and it takes {FEWEST_PAIRS}"


def _why_open(finding: Finding) -> str:
    if finding.missing:
        return finding.missing
    found = "" if finding.effect is None else f"found: {finding.effect.value:.3g}, "
    return f"was neither shown nor refuted ({found}p = {finding.p_value:.2g})"
