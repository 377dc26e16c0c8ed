"""What a study takes from the snapshots of its runs, where it was not measured while they were trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from analysis.gather import Run
from analysis.measure import measured, sources
from analysis.measured import measured_with, read_measures, write_measures
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
        paths = _chosen(run, need)
        plan = reopened(run.folder, need.settings)
        by_name = plan.measures.by_name
        applying = [by_name[name] for name in need.measures if by_name[name].columns(plan.experiment)]
        wanted = sources(plan, applying, need.twins)
        if not wanted or _is_there(run, wanted, paths):
            continue
        write_measures(run.folder, measured(plan, applying, paths, need.twins, progress), wanted)
        taken = True
    return taken


def _chosen(run: Run, need: Need) -> list[Path]:
    """Without repetition, in order. The last checkpoint stands for the end where no snapshot was kept of it."""
    kept = {int(path.stem): path for path in snapshots(run.folder)}
    if run.summary.budget not in kept:
        kept[run.summary.budget] = checkpoints(run.folder)[-1]
    known = sorted(kept)
    if need.at is not None:
        places = [int(np.abs(np.array(known) - iteration).argmin()) for iteration in need.at(run)]
    elif need.moments is None:
        places = list(range(len(known)))
    elif need.moments == 1:
        places = [len(known) - 1]
    else:
        places = np.linspace(0, len(known) - 1, need.moments).round().astype(int).tolist()
    return [kept[known[place]] for place in sorted(set(places))]


def _is_there(run: Run, wanted: Mapping[str, str], paths: Sequence[Path]) -> bool:
    """Whether all of it was measured at these moments, with these settings and this code (`measure.sources`)."""
    found, known = read_measures(run.folder), measured_with(run.folder)
    if found is None or any(known.get(name) != source for name, source in wanted.items()):
        return False
    there = set(found.loc[found[list(wanted)].notna().any(axis=1), "iteration"])
    return {int(path.stem) if path.stem.isdigit() else run.summary.budget for path in paths} <= there
