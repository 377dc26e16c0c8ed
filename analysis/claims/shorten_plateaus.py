"""The document's question: which settings shorten the plateaus? What the search found, on fresh seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from badger_sweeps.reporting.formatting.search_tables import title
from badger_sweeps.reporting.inference.evidence import Finding, below, unknown
from badger_sweeps.reporting.plotting.chart import Chart, Dots, Line, Panel, groups
from badger_sweeps.reporting.reading.arms import MissingError, Numbers
from badger_sweeps.reporting.reading.search import RecordedSearch
from badger_sweeps.search.snapshot import TrialSnapshot

CLAIM = "Settings can be found that shorten the plateaus of the document's Micro-Badger."
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train


class ShortenPlateaus(NamedTuple):
    """What the figure shows.

    Attributes:
        objective: what is searched for.
        values: objective of each complete trial, and its number.
        best: the best so far.
        first: the first trial's configuration on fresh seeds, seed by seed.
        found: the best one's, on the same seeds.
        words: the best trial's settings.
    """

    objective: str
    numbers: Numbers
    values: Numbers
    best: Numbers
    first: Numbers
    found: Numbers
    words: str


def compute(search: RecordedSearch) -> ShortenPlateaus:
    """The search and its confirmation."""
    pair = search.pair
    if pair is None and not search.best_is_first:
        raise MissingError("nothing was confirmed on fresh seeds")
    complete = [trial for trial in search.snapshot.complete if trial.estimate is not None]
    values = np.array([trial.estimate.value for trial in complete if trial.estimate is not None])
    first, found = ({}, {}) if pair is None else (_per_seed(pair.first), _per_seed(pair.best))
    shared = sorted(first.keys() & found.keys(), key=int)
    best = search.snapshot.best if pair is None else pair.best
    words = "" if best is None else ", ".join(f"{name} {_short(value)}" for name, value in best.params.items())
    return ShortenPlateaus(
        objective=title(search.objectives[0]),
        numbers=np.array([float(trial.number) for trial in complete]),
        values=values,
        best=np.minimum.accumulate(values) if len(values) else values,
        first=np.array([first[seed] for seed in shared]),
        found=np.array([found[seed] for seed in shared]),
        words=words,
    )


def findings(info: ShortenPlateaus) -> list[Finding]:
    """On seeds that the search had not seen."""
    if not len(info.first):
        return [unknown("other settings than the document's solve the task sooner", "had none that was better")]
    means = f"(means {info.first.mean():.0f} and {info.found.mean():.0f})"
    return [
        below(
            f"the best settings found ({info.words}) solve the task sooner than the document's, on fresh seeds",
            info.found - info.first, 0, f"{info.objective}, difference paired by seed {means}",
        )
    ]  # fmt: skip


def draw(info: ShortenPlateaus) -> Chart:
    """The search's course, and both configurations on fresh seeds."""
    course = Panel("The search", "trial", info.objective)
    course.marks += [Dots(info.numbers, info.values, 0, "trials that were completed", size=5.0, opacity=0.6)]
    course.marks += [Line(info.numbers, info.best, 1, "best so far")]
    names = ["the document's settings", "best found"]
    return Chart(
        [course, Panel("On fresh seeds", "", info.objective, groups([info.first, info.found], names), ticks=names)],
        "Left: trials on the search's own seeds; those that could not become the best any more were stopped. Right: "
        f"both configurations on seeds that the search had not used. Best: {info.words}.",
    )


def _per_seed(trial: TrialSnapshot) -> dict[str, float]:
    return {str(seed): float(value) for seed, value in trial.details.get("per_seed", {}).items()}


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
