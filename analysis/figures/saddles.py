"""The document: plateaus are saddles, and there are more of them in higher dimension."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.arms import Arm, Arms, Numbers
from analysis.chart import Chart, Level, Panel, groups
from analysis.evidence import Finding, above, most, ordered
from analysis.gather import Run
from analysis.needs import Need
from badger_sweeps.measures.solve_order import jonckheere

CLAIM = "Plateaus are saddles, and the more dimensions there are, the more saddles there are."


def _middles(run: Run) -> list[float]:
    """The middle of the first plateau above rung 0, for every seed: where its Hessian is looked at."""
    first = (next((rest.plateau for rest in own.rests if rest.plateau.rung > 0), None) for own in run.summary.outcomes)
    middles = sorted((plateau.start + plateau.end) / 2 for plateau in first if plateau is not None)
    return [float(np.median(middles))] if middles else []


NEEDS = (Need(("saddles",), at=_middles, settings=("measures.saddles.eigenvalues=16", "measures.saddles.games=64")),)


class Saddles(NamedTuple):
    """By number of dimensions.

    Attributes:
        dims: which.
        indices: of each seed at the moment that is the middle of the first plateau for the median seed; NaN for a seed
            that does not rest then.
        steepest: smallest eigenvalue over the largest, likewise.
        plateaus: how many each seed rests on.
        bounded: how many indices are lower bounds, since all 16 eigenvalues that were asked for are negative.
    """

    dims: list[int]
    indices: list[Numbers]
    steepest: list[Numbers]
    plateaus: list[Numbers]
    bounded: int


def compute(arms: Arms) -> Saddles:
    """Indices on plateaus, and how many plateaus there are."""
    found = [_of(arm) for arm in arms.values()]
    return Saddles(
        dims=[arm.dims for arm in arms.values()],
        indices=[own[0] for own in found],
        steepest=[own[1] for own in found],
        plateaus=[
            np.array([sum(rest.plateau.rung > 0 for rest in own.rests) for own in arm.outcomes], dtype=float)
            for arm in arms.values()
        ],
        bounded=int(sum(own[2] for own in found)),
    )


def findings(info: Saddles) -> list[Finding]:
    """The claim's parts."""
    index = np.concatenate(info.indices)
    seen = index[np.isfinite(index)]
    trends = []
    for statement, values, unit in (
        ("the index of the saddle grows with the number of dimensions", info.indices, "negative eigenvalues"),
        ("the number of plateaus grows with the number of dimensions", info.plateaus, "plateaus"),
    ):
        known = [own[np.isfinite(own)] for own in values]
        usable = [own for own in known if len(own) > 1]
        test = jonckheere(usable, np.random.default_rng(0))
        p_value = min(1.0, 2 * min(test.p_rising, test.p_falling))
        trends.append(
            ordered(
                statement, test.z, p_value, sum(map(len, usable)), f"z of the trend in {unit}", "Jonckheere", sign=1
            )
        )
    return [
        most("on plateaus the Hessian has negative eigenvalues", [bool(value >= 1) for value in seen], "of plateaus"),
        *trends,
        above("there is more than one direction out", seen, 1, f"index ({info.bounded} of them lower bounds)").beside(),
    ]


def draw(info: Saddles) -> Chart:
    """Index, how steep the way out is, and plateaus, by dimension."""
    names = [str(dims) for dims in info.dims]
    columns = (info.indices, info.steepest, info.plateaus)
    index, steepest, plateaus = (groups(own, names, [0] * len(names)) for own in columns)
    return Chart(
        [
            Panel("Index on the first plateau", "dimensions", "negative, of 16 smallest", index, ticks=names),
            Panel("Steepest way down", "dimensions", "smallest / largest", [Level(0.0), *steepest], ticks=names),
            Panel("Plateaus above rung 0", "dimensions", "per seed", plateaus, ticks=names),
        ],
        "Hessian of the outer loss on 64 fixed games with respect to all weights, in float64, at the snapshot "
        "nearest to "
        "the middle of the first plateau; only seeds that rest then are shown. Small networks (8 experts, 16 hidden "
        "units).",
        columns=3,
    )  # fmt: skip


def _of(arm: Arm) -> tuple[Numbers, Numbers, int]:
    """Index and steepness where a seed rests at the moment measured, and how many indices are lower bounds."""
    nothing = np.full(len(arm.seeds), np.nan)
    if not arm.has("hessian/index"):
        return nothing, nothing, 0
    curve, least, most_ = (arm.curve(f"hessian/{name}") for name in ("index", "smallest", "largest"))
    bounds = arm.curve("hessian/index_is_lower_bound")
    when = curve.x[-1]
    resting = np.array(
        [any(own.plateau.start <= when < own.plateau.end and own.plateau.rung > 0 for own in outcome.rests)
         for outcome in arm.outcomes]
    )  # fmt: skip
    index = np.where(resting, curve.y[:, -1], np.nan)
    steep = np.where(resting, least.y[:, -1, 0] / most_.y[:, -1], np.nan)
    return index, steep, int(np.nansum(np.where(resting, bounds.y[:, -1], 0)))
