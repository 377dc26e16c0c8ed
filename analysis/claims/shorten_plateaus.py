"""The question of the document which settings shorten the plateaus: the best trial of a search, on fresh seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.measures.objectives import OBJECTIVES, Objective
from badger_sweeps.reporting.inference.evidence import Finding, above, below, unknown
from badger_sweeps.reporting.plotting.chart import Chart, Dots, Line, Panel, groups
from badger_sweeps.reporting.reading.arms import MissingError, Numbers
from badger_sweeps.reporting.reading.search import RecordedSearch
from badger_sweeps.search.state import TrialRecord

CLAIM = "Settings can be found that shorten the plateaus of the document's Micro-Badger."
REQUIRED_MEASURES = ()  # all it needs is measured during training


class ShortenPlateausInfo(NamedTuple):
    """The trials of the search, and its confirmation.

    Attributes:
        objective: the search's objective.
        numbers: of the complete trials.
        values: objective of each complete trial.
        best: the best value up to each complete trial.
        first: objective of the first trial's settings on fresh seeds, of each seed.
        found: objective of the best trial's settings on the same seeds.
        settings: the best trial's settings, as text.
    """

    objective: Objective
    numbers: Numbers
    values: Numbers
    best: Numbers
    first: Numbers
    found: Numbers
    settings: str


def compute(search: RecordedSearch) -> ShortenPlateausInfo:
    """The search and its confirmation."""
    pair = search.pair
    if pair is None and not search.best_is_first:
        raise MissingError("nothing was confirmed on fresh seeds")
    complete = [trial for trial in search.state.complete if trial.estimate is not None]
    values = np.array([trial.estimate.value for trial in complete if trial.estimate is not None])
    first, found = ({}, {}) if pair is None else (_per_seed(pair.first), _per_seed(pair.best))
    shared = sorted(first.keys() & found.keys(), key=int)
    best = search.state.best if pair is None else pair.best
    settings = "" if best is None else ", ".join(f"{name} {_short(value)}" for name, value in best.params.items())
    objective = OBJECTIVES[search.objectives[0]]
    best_so_far = np.minimum if objective.direction == "minimize" else np.maximum
    return ShortenPlateausInfo(
        objective=objective,
        numbers=np.array([float(trial.number) for trial in complete]),
        values=values,
        best=best_so_far.accumulate(values) if len(values) else values,
        first=np.array([first[seed] for seed in shared]),
        found=np.array([found[seed] for seed in shared]),
        settings=settings,
    )


def findings(info: ShortenPlateausInfo) -> list[Finding]:
    """The claim, tested on seeds that the search did not use."""
    objective = info.objective
    if not len(info.first):
        return [unknown(f"other settings than the document's {objective.better}", "were not found by the search")]
    means = f"(means {info.first.mean():.0f} and {info.found.mean():.0f})"
    better = below if objective.direction == "minimize" else above
    return [
        better(
            f"the best settings found ({info.settings}) {objective.better} than the document's, on fresh seeds",
            info.found - info.first, 0, f"{objective.heading}, difference paired by seed {means}",
        )
    ]  # fmt: skip


def draw(info: ShortenPlateausInfo) -> Chart:
    """The figure: the trials of the search, and both configurations on fresh seeds."""
    trials = Panel("The search", "trial", info.objective.heading)
    trials.marks += [Dots(info.numbers, info.values, 0, "complete trials", size=5.0, opacity=0.6)]
    trials.marks += [Line(info.numbers, info.best, 1, "best so far")]
    names = ["the document's settings", "best found"]
    return Chart(
        [
            trials,
            Panel("On fresh seeds", "", info.objective.heading, groups([info.first, info.found], names), ticks=names),
        ],
        "Left: complete trials on the seeds of the search; trials that could no longer become the best were stopped. "
        f"Right: both configurations on seeds that the search did not use. Best: {info.settings}.",
    )


def _per_seed(trial: TrialRecord) -> dict[str, float]:
    return {str(seed): float(value) for seed, value in trial.details.get("per_seed", {}).items()}


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
