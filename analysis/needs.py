"""What a study takes from the snapshots of its runs, where it was not measured while they were trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from analysis.gather import Run
from analysis.measure import TWINS, measured
from analysis.measured import read_measures, write_measures
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
        columns = [name for measure in applying for name in measure.columns(plan.experiment)]
        columns += [TWINS] if need.twins else []
        if not columns or _is_there(run, columns, paths):
            continue
        write_measures(run.folder, measured(plan, applying, paths, need.twins, progress))
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


def _is_there(run: Run, columns: Sequence[str], paths: Sequence[Path]) -> bool:
    found = read_measures(run.folder)
    if found is None or not set(columns) <= set(found):
        return False
    known = found.loc[found[list(columns)].notna().any(axis=1), "iteration"]
    wanted = {int(path.stem) if path.stem.isdigit() else run.summary.budget for path in paths}
    return wanted <= set(known)
