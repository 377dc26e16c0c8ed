"""The document: plateaus are saddles, and there are more of them in higher dimension."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.inference.evidence import Finding, above, below, most, rank_correlation
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers, on_plateau
from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.reporting.remeasure.required import RequiredMeasures

CLAIM = "Plateaus are saddles, and the more dimensions there are, the more saddles there are."


def _iterations(run: Run) -> list[float]:
    """The middle of the first stretch in which most seeds are on a plateau above level 0, and the end of training."""
    every = np.arange(run.summary.budget, dtype=float)
    count = np.sum([on_plateau(outcome, every) for outcome in run.summary.outcomes], axis=0)
    most_of_all = np.flatnonzero(count == count.max())
    stretch = np.split(most_of_all, np.flatnonzero(np.diff(most_of_all) > 1) + 1)[0]
    return [float(np.median(stretch)), float(run.summary.budget)]


# These networks have at most 366 weights. The measure computes the whole spectrum where more than half of it is
# requested, so that the index is exact.
REQUIRED_MEASURES = (RequiredMeasures(("saddles",), at=_iterations, settings=("measures.saddles.eigenvalues=200",)),)


class SaddlesInfo(NamedTuple):
    """Hessians and plateaus by number of dimensions; arrays have a value for each seed.

    Attributes:
        dims: the numbers of dimensions.
        indices: share of negative eigenvalues on a plateau; NaN for a seed that is on none at the snapshot measured. A
            share, since networks for more dimensions have more weights.
        weights: number of weights.
        steepness: smallest eigenvalue over the largest one, at the same snapshot.
        later: the same at the end of training; NaN for a seed that has not solved the task by then.
        plateaus: number of plateaus above level 0; a lower bound, since training may end before the task is solved.
        network: size of the networks, as text.
        levels: mean loss of the plateaus at the snapshot measured.
    """

    dims: list[int]
    indices: list[Numbers]
    weights: list[int]
    steepness: list[Numbers]
    later: list[Numbers]
    plateaus: list[Numbers]
    network: str
    levels: list[float]


def compute(arms: Arms) -> SaddlesInfo:
    """Indices and steepness on plateaus, and the numbers of plateaus."""
    found = [_of(arm) for arm in arms.values()]
    indices, steepness, later = (list(by_dims) for by_dims in zip(*found, strict=True))
    config = next(iter(arms.values())).run.config
    weights = [int(np.nanmax(arm.last("hessian/weights"))) for arm in arms.values()]
    return SaddlesInfo(
        dims=[arm.dims for arm in arms.values()],
        indices=[index / count for index, count in zip(indices, weights, strict=True)],
        weights=weights,
        steepness=steepness,
        later=later,
        plateaus=[_plateaus(arm) for arm in arms.values()],
        levels=[_level(arm) for arm in arms.values()],
        network=f"{config['topology.experts']} experts with {config['architecture.hidden']} hidden units",
    )


def findings(info: SaddlesInfo) -> list[Finding]:
    """The parts of the claim: saddles at all numbers of dimensions, and the trend of the number of plateaus over these.

    Secondary: trends of the index. Plateaus of more dimensions have other losses, on which an index may also depend.
    """
    known = np.stack(info.indices)
    saddle = [
        bool((indices[np.isfinite(indices)] > 0).all()) if np.isfinite(indices).any() else None for indices in known.T
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of seeds without a value
        steeper = np.nanmean(np.stack(info.steepness) - np.stack(info.later), axis=0)
    return [
        most("on plateaus the Hessian has negative eigenvalues", saddle),
        below(
            "relative to the largest one, the smallest is lower there than where the task is solved", steeper, 0,
            "smallest over largest eigenvalue, on the plateau minus at the end, mean over numbers of dimensions",
        ),
        _trend("training has more plateaus the more dimensions there are", info.dims, info.plateaus),
        _trend(
            "the share of negative eigenvalues grows with the number of dimensions", info.dims, info.indices
        ).secondary(),
        _trend(
            "the number of negative eigenvalues grows with the number of dimensions, like that of weights", info.dims,
            [share * count for share, count in zip(info.indices, info.weights, strict=True)],
        ).secondary(),
    ]  # fmt: skip


def _trend(statement: str, dims: list[int], values: list[Numbers]) -> Finding:
    """The finding that values grow with the number of dimensions in a seed, as all were trained on the same seeds."""
    return above(
        statement, [rank_correlation(dims, of_seed) for of_seed in np.stack(values).T], 0,
        "Spearman's rank correlation with the number of dimensions, of each seed",
    )  # fmt: skip


def draw(info: SaddlesInfo) -> Chart:
    """The figure: index, steepness and number of plateaus by number of dimensions."""
    names = [str(dims) for dims in info.dims]
    columns = (info.indices, info.steepness, info.plateaus)
    index, steepest, plateaus = (groups(values, names, [0] * len(names)) for values in columns)
    return Chart(
        [
            Panel("Index on a plateau", "dimensions", "share of negative eigenvalues", index, ticks=names),
            Panel("Steepest way down", "dimensions", "smallest / largest", [Level(0.0), *steepest], ticks=names),
            Panel("Plateaus above level 0", "dimensions", "per seed", plateaus, ticks=names),
        ],
        "Hessian of the outer loss on 64 fixed games with respect to all weights, in float64, at the first "
        "snapshot at which most seeds are on a plateau above level 0; only these seeds are shown. The plateaus have "
        "different losses, on which the index may depend; their means are "
        + ", ".join(f"{level:.2f} (D = {dims})" for dims, level in zip(info.dims, info.levels, strict=True))
        + f". Numbers of plateaus are lower bounds, since training may end before the task is solved. Networks: "
        f"{info.network}.",
        columns=3,
    )  # fmt: skip


def _of(arm: Arm) -> tuple[Numbers, Numbers, Numbers]:
    """Index and steepness of seeds on a plateau at the snapshot measured, and steepness of seeds with a solution."""
    nothing = np.full(len(arm.seeds), np.nan)
    if not arm.has("hessian/index"):
        return nothing, nothing, nothing
    index, least, largest = (arm.curve(f"hessian/{name}") for name in ("index", "smallest", "largest"))
    steepness = least.y[:, :, 0] / largest.y
    on = np.array([on_plateau(outcome, index.x[:1])[0] for outcome in arm.outcomes])
    solved = np.array([outcome.solved_iteration is not None for outcome in arm.outcomes])
    chosen = ((on, index.y[:, 0]), (on, steepness[:, 0]), (solved, steepness[:, -1]))
    on, steep, later = (np.where(where, values, np.nan) for where, values in chosen)
    return on, steep, later


def _level(arm: Arm) -> float:
    """Mean loss of the plateaus at the snapshot measured; NaN where there is no plateau or no measurement."""
    if not arm.has("hessian/index"):
        return float("nan")
    when = arm.curve("hessian/index").x[0]
    plateaus = [plateau for outcome in arm.outcomes for plateau in outcome.unsolved_plateaus]
    losses = [plateau.mean_loss for plateau in plateaus if plateau.start <= when < plateau.end]
    return float(np.mean(losses)) if losses else float("nan")


def _plateaus(arm: Arm) -> Numbers:
    """The number of plateaus above level 0, of each seed."""
    return np.array([len(outcome.unsolved_plateaus) for outcome in arm.outcomes], dtype=float)
