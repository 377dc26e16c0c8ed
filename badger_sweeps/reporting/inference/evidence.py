"""What a study has found of a claim: its parts, each with an effect, an interval and a test; and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from badger_sweeps.measures.estimates import FEWEST_PAIRS, Estimate, mean, share
from badger_sweeps.reporting.inference.comparison import holm

LEVEL = 0.05
BEYOND_CHANCE = 1 / 3
"""By how much the share of seeds that show what `few` are to show may exceed that by chance. A third: what is claimed
of all seeds is then true of two for each one of which it is not; and eight seeds, a study's number, can show it."""
REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "cannot be decided"


@dataclass(frozen=True)
class Finding:
    """One part of a claim, and what the runs say of it.

    Attributes:
        statement: what would be so if the claim held.
        effect: the quantity it is about, with its 95 % interval over seeds (BCa; Wilson for shares).
        unit: of the effect, and what it is compared with.
        seeds: how many entered.
        test: in words.
        p_for: of the hypothesis that the statement is false; small values speak for it. None: not tested.
        p_against: of the hypothesis that the statement is true, or undecided between; small values speak against it.
        part: whether the verdict depends on it; what does not is told beside.
        holds: set by `judged`: True if shown, False if refuted, None if neither.
        p_value: set by `judged`: the smaller of the two p, adjusted where it must be.
        missing: why it could not be tested; empty if it was.
    """

    statement: str
    effect: Estimate | None
    unit: str
    seeds: int
    test: str = ""
    p_for: float | None = None
    p_against: float | None = None
    part: bool = True
    holds: bool | None = None
    p_value: float | None = None
    missing: str = ""

    def secondary(self) -> Finding:
        """The same, told beside the verdict."""
        return replace(self, part=False)


WITHOUT_VALUE = "without a value"


def above(statement: str, values: ArrayLike, threshold: float, unit: str, without: str = WITHOUT_VALUE) -> Finding:
    """A mean over seeds lies above a threshold: sign-flip test of the distances from it, two-sided.

    Seeds without a value (NaN) are left out; the count and the unit say so, the unit with the reason, `without`. Fewer
    than six are not tested.
    """
    return _one_sided(statement, values, threshold, unit, without, sign=1)


def below(statement: str, values: ArrayLike, threshold: float, unit: str, without: str = WITHOUT_VALUE) -> Finding:
    """The opposite of `above`."""
    return _one_sided(statement, values, threshold, unit, without, sign=-1)


def within(statement: str, values: ArrayLike, low: float, high: float, unit: str) -> Finding:
    """A mean over seeds lies between two bounds: two one-sided sign-flip tests (equivalence), p the larger of them.

    Against it speaks a mean outside, by the two-sided test of the distances from the bound that it is beyond.
    """
    known = _known(values)
    unit = f"{unit}{_left_out(values, WITHOUT_VALUE)}, asked to lie within {low:.3g} to {high:.3g}"
    if len(known) < FEWEST_PAIRS:
        return _too_few(statement, known, unit)
    p_for = max(_flips(known - low, "greater"), _flips(known - high, "less"))
    beyond = low if known.mean() < low else high if known.mean() > high else None
    p_against = 1.0 if beyond is None else _flips(known - beyond, "two-sided")
    return Finding(statement, mean(known), unit, len(known), "equivalence, sign flips", p_for, p_against)


def most(statement: str, flags: Sequence[bool | None], unit: str = "of seeds") -> Finding:
    """More than half of the seeds do it: exact binomial test of one half, two-sided. None: a seed that cannot tell."""

    def p_values(count: int, seeds: int) -> tuple[float, float]:
        p = float(scipy.stats.binomtest(count, seeds).pvalue)
        return (p, 1.0) if 2 * count > seeds else (1.0, p)

    return _counted(statement, flags, f"{unit}, compared with one half", p_values)


def few(statement: str, flags: Sequence[bool | None], chance: float, unit: str = "of seeds") -> Finding:
    """The share of seeds that show it exceeds what there is by chance by less than `BEYOND_CHANCE`.

    The bound is `chance + BEYOND_CHANCE`. For it speaks a share below the bound, against it one above, by the exact
    binomial test of the bound, two-sided as in `most`: the two hypotheses share no value of the share, so that the same
    seeds never speak for both. A share beyond `chance` alone refutes nothing: it may still be small. With chance at
    0.05 the least seeds that decide are eight: none of them must show it, and it takes seven to refute. Four of eight,
    or one, leave it open.

    Args:
        statement: what would be so.
        flags: whether each seed shows it; None for a seed that cannot tell.
        chance: the probability with which a seed shows it where there is nothing; below 1 - BEYOND_CHANCE.
        unit: of the share.
    """
    bound = chance + BEYOND_CHANCE

    def p_values(count: int, seeds: int) -> tuple[float, float]:
        p = float(scipy.stats.binomtest(count, seeds, bound).pvalue)
        return (p, 1.0) if count < bound * seeds else (1.0, p)

    unit = f"{unit}, compared with {bound:.3g}: {chance:.3g} by chance, and {BEYOND_CHANCE:.3g}"
    return _counted(statement, flags, unit, p_values)


def ordered(statement: str, coefficient: float, p_value: float, count: int, unit: str, test: str, sign: int) -> Finding:
    """A coefficient has a sign, by a two-sided test that was made elsewhere."""
    if not np.isfinite([coefficient, p_value]).all():
        return Finding(statement, None, unit, count, missing="all values are equal or missing")
    right = coefficient * sign > 0
    return Finding(
        statement, Estimate(coefficient, None, None), unit, count, test, p_value if right else 1.0,
        1.0 if right else p_value,
    )  # fmt: skip


def unknown(statement: str, why: str, unit: str = "") -> Finding:
    """What cannot be told, and why."""
    return Finding(statement, None, unit, 0, missing=why)


def judged(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with `holds` and `p_value`.

    A claim is reproduced if all of its parts hold, so that each part is tested at the level itself (an intersection of
    hypotheses needs no adjustment); it is not reproduced if any part is refuted, so that p-values against
    the parts are adjusted for their number (Holm). What is told beside is adjusted for its own number in both.
    """
    found = list(findings)
    for part in (True, False):
        own = [place for place, finding in enumerate(found) if finding.part == part]
        for_it, against = [found[place].p_for for place in own], [found[place].p_against for place in own]
        for_it = for_it if part else holm(for_it)
        for place, shown, opposite in zip(own, for_it, holm(against), strict=True):
            if shown is None or opposite is None:
                continue
            holds = True if shown < LEVEL else False if opposite < LEVEL else None
            found[place] = replace(found[place], p_value=min(shown, opposite), holds=holds)
    return found


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's, of the places where both are known: NaN for fewer than three, 0 where either is always the same."""
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 3:
        return float("nan")
    if not np.ptp(x[known]) or not np.ptp(y[known]):
        return 0.0
    return float(scipy.stats.spearmanr(x[known], y[known]).statistic)


@dataclass(frozen=True)
class Verdict:
    """What the parts of a claim come to.

    Attributes:
        kind: `REPRODUCED`, `NOT_REPRODUCED` or `UNDECIDED`.
        because: why, in a clause; empty where all parts were shown.
        remark: what the study adds, in a clause; empty where it adds nothing.
    """

    kind: str
    because: str = ""
    remark: str = ""

    def __str__(self) -> str:
        joint = ", because " if self.kind == UNDECIDED else ": "
        words = f"{self.kind}{joint}{self.because}" if self.because else self.kind
        return f"{words}; {self.remark}" if self.remark else words


def verdict(findings: Sequence[Finding], quick: bool) -> Verdict:
    """Reproduced: every part was shown. Not reproduced: some part was refuted, which means that what is found lies on
    the other side of the bound that the part sets. Else it cannot be decided.

    Args:
        findings: judged.
        quick: whether the runs are of the quick scale, which proves the machinery and decides nothing.
    """
    if quick:
        return Verdict(UNDECIDED, "only the quick scale was run")
    parts = [finding for finding in findings if finding.part]
    against = [finding for finding in parts if finding.holds is False]
    held = [finding for finding in parts if finding.holds]
    if against:
        words = "by the bounds set here it is not so that “" + "”, nor that “".join(own.statement for own in against)
        words += f"”; {len(held)} of {len(parts)} parts hold" if held else "”"
        return Verdict(NOT_REPRODUCED, words)
    if parts and len(held) == len(parts):
        return Verdict(REPRODUCED)
    reasons = [f"“{own.statement}” {_why_open(own)}" for own in parts if own.holds is None]
    return Verdict(UNDECIDED, "; ".join(reasons) or "no part of it was tested")


def _one_sided(statement: str, values: ArrayLike, threshold: float, unit: str, without: str, sign: int) -> Finding:
    known = _known(values)
    unit = f"{unit}{_left_out(values, without)}, compared with {threshold:.3g}"
    if len(known) < FEWEST_PAIRS:
        return _too_few(statement, known, unit)
    p = _flips(known - threshold, "two-sided")
    right = (known.mean() - threshold) * sign > 0
    return Finding(statement, mean(known), unit, len(known), "sign flips", p if right else 1.0, 1.0 if right else p)


def _counted(
    statement: str, flags: Sequence[bool | None], unit: str, p_values: Callable[[int, int], tuple[float, float]]
) -> Finding:
    """A share of the seeds that can tell, with the p-values (for, against) of their number."""
    known = [flag for flag in flags if flag is not None]
    if len(known) < FEWEST_PAIRS:
        return Finding(statement, None, unit, len(known), missing=_few(len(known)))
    count = sum(known)
    return Finding(statement, share(count, len(known)), unit, len(known), "binomial", *p_values(count, len(known)))


def _flips(distances: NDArray[np.float64], alternative: str) -> float:
    """Sign-flip test of a mean of 0; exact up to 13 values."""
    if not distances.any():
        return 1.0
    test = scipy.stats.permutation_test(
        (distances,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=9999,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(test.pvalue)


def _known(values: ArrayLike) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.asarray(values, dtype=float)
    return np.asarray(array[np.isfinite(array)])


def _left_out(values: ArrayLike, without: str) -> str:
    """How many seeds were not tested, and why; nothing where all were."""
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
