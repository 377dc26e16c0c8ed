"""Measures that a claim requires, taken from snapshots where they were not measured in training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.reporting.reading.measures import measured_at, measured_with, write_measures
from badger_sweeps.reporting.remeasure.measure import described, measured, sources
from badger_sweeps.reporting.remeasure.snapshots import checkpoints, reopened
from badger_sweeps.runs.checkpoint import snapshots


@dataclass(frozen=True)
class RequiredMeasures:
    """Measures that a claim requires, and the snapshots at which they are taken.

    Attributes:
        measures: names of `conf/measures/standard.yaml`.
        snapshots: how many, evenly spread from before training to its end (1: the last one); None: all.
        at: of a run, iterations; the snapshots nearest to them are taken. None: `snapshots` decides.
        arms: the only arms that are measured; empty: all.
        settings: ``measures.KEY=VALUE``.
        replica_iterations: iterations for which perturbed replicas are trained from every snapshot; None: no replicas.
    """

    measures: tuple[str, ...] = ()
    snapshots: int | None = None
    at: Callable[[Run], Sequence[float]] | None = None
    arms: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    replica_iterations: int | None = None


def measure_missing(run: Run, required: Sequence[RequiredMeasures], progress: Progress) -> bool:
    """Take the required measures that a run lacks, and write them into its folder; returns whether any was taken."""
    taken = False
    for one in required:
        if one.arms and run.folder.name not in one.arms:
            continue
        chosen = _chosen(run, one)
        plan = reopened(run.folder, one.settings)
        by_name = plan.measures.by_name
        applying = [by_name[name] for name in one.measures if by_name[name].columns(plan.experiment)]
        wanted = sources(plan, applying, one.replica_iterations)
        if not wanted or _is_there(run, wanted, chosen):
            continue
        found = measured(plan, applying, list(chosen.values()), one.replica_iterations, progress)
        write_measures(run.folder, found, wanted, described(plan, applying, one.replica_iterations))
        taken = True
    return taken


def _chosen(run: Run, one: RequiredMeasures) -> dict[int, Path]:
    """Snapshots by iteration, in order. The checkpoint stands for the end where no snapshot was kept of it.

    The end comes before the budget where all seeds diverged.
    """
    kept = {int(path.stem): path for path in snapshots(run.folder)}
    kept.setdefault(int(run.history["iteration"].max()) + 1, checkpoints(run.folder)[-1])
    known = sorted(kept)
    if one.at is not None:
        places = [int(np.abs(np.array(known) - iteration).argmin()) for iteration in one.at(run)]
    elif one.snapshots is None:
        places = list(range(len(known)))
    elif one.snapshots == 1:
        places = [len(known) - 1]
    else:
        places = np.linspace(0, len(known) - 1, one.snapshots).round().astype(int).tolist()
    return {known[place]: kept[known[place]] for place in sorted(set(places))}


def _is_there(run: Run, wanted: Mapping[str, str], iterations: Iterable[int]) -> bool:
    """Whether all columns were measured at these iterations, with these settings and this code (`measure.sources`).

    A measurement that gave NaN counts, since measuring again would give NaN again.
    """
    known, at = measured_with(run.folder), measured_at(run.folder)
    return all(
        known.get(name) == source and at.get(name, frozenset()).issuperset(iterations)
        for name, source in wanted.items()
    )
