"""What a study takes from the snapshots of its runs, where it was not measured while they were trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from analysis.gather import Run
from analysis.measure import measured, sources
from analysis.measured import measured_at, measured_with, write_measures
from analysis.snapshots import checkpoints, reopened
from badger_sweeps.runs.checkpoint import snapshots


@dataclass(frozen=True)
class Need:
    """Measures at some moments.

    Attributes:
        measures: names of `conf/measures/standard.yaml`.
        moments: so many, evenly spread from before training to its end; None: at every snapshot.
        at: of a run, the iterations next to which instead; None: `moments` says.
        arms: of these alone; empty: of all.
        settings: ``measures.KEY=VALUE``.
        twins: iterations for which twins are trained from every moment; None: there are none.
    """

    measures: tuple[str, ...] = ()
    moments: int | None = None
    at: Callable[[Run], Sequence[float]] | None = None
    arms: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    twins: int | None = None


def take(run: Run, needs: Sequence[Need], progress: Progress) -> bool:
    """Measure what is missing of what an arm needs, and write it into the run's folder; gives whether anything was."""
    taken = False
    for need in needs:
        if need.arms and run.folder.name not in need.arms:
            continue
        chosen = _chosen(run, need)
        plan = reopened(run.folder, need.settings)
        by_name = plan.measures.by_name
        applying = [by_name[name] for name in need.measures if by_name[name].columns(plan.experiment)]
        wanted = sources(plan, applying, need.twins)
        if not wanted or _is_there(run, wanted, chosen):
            continue
        write_measures(run.folder, measured(plan, applying, list(chosen.values()), need.twins, progress), wanted)
        taken = True
    return taken


def _chosen(run: Run, need: Need) -> dict[int, Path]:
    """Snapshots by iteration, in order. The checkpoint stands for the end where no snapshot was kept of it.

    The end comes before the budget where all seeds diverged.
    """
    kept = {int(path.stem): path for path in snapshots(run.folder)}
    kept.setdefault(int(run.history["iteration"].max()) + 1, checkpoints(run.folder)[-1])
    known = sorted(kept)
    if need.at is not None:
        places = [int(np.abs(np.array(known) - iteration).argmin()) for iteration in need.at(run)]
    elif need.moments is None:
        places = list(range(len(known)))
    elif need.moments == 1:
        places = [len(known) - 1]
    else:
        places = np.linspace(0, len(known) - 1, need.moments).round().astype(int).tolist()
    return {known[place]: kept[known[place]] for place in sorted(set(places))}


def _is_there(run: Run, wanted: Mapping[str, str], iterations: Iterable[int]) -> bool:
    """Whether all of it was measured at these moments, with these settings and this code (`measure.sources`).

    What was measured and gave NaN counts: measuring it again would give NaN again.
    """
    known, at = measured_with(run.folder), measured_at(run.folder)
    return all(
        known.get(name) == source and at.get(name, frozenset()).issuperset(iterations)
        for name, source in wanted.items()
    )
