"""The measures that a claim requires, taken from snapshots if they are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from badger_sweeps.reporting.reading.collection import Run
from badger_sweeps.reporting.remeasure.measure import measured_columns, measurement_hashes, take_measures
from badger_sweeps.reporting.remeasure.snapshots import checkpoints, reopened
from badger_sweeps.runs.checkpoint import snapshots
from badger_sweeps.runs.snapshot_measures import measured_at, measured_with, write_measures


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
    """Take the required measures that an arm lacks, and write them into the run's folder.

    Returns:
        Whether any measure was taken.
    """
    taken = False
    for requirement in required:
        if requirement.arms and run.folder.name not in requirement.arms:
            continue
        chosen = _chosen(run, requirement)
        plan = reopened(run.folder, requirement.settings)
        by_name = plan.measures.by_name
        applying = [by_name[name] for name in requirement.measures if by_name[name].columns(plan.experiment)]
        hashes = measurement_hashes(plan, applying, requirement.replica_iterations)
        if not hashes or _is_measured(run, hashes, chosen):
            continue
        values = take_measures(plan, applying, list(chosen.values()), requirement.replica_iterations, progress)
        write_measures(run.folder, values, hashes, measured_columns(plan, applying, requirement.replica_iterations))
        taken = True
    return taken


def _chosen(run: Run, requirement: RequiredMeasures) -> dict[int, Path]:
    """The snapshots to measure, by iteration, in order.

    If there is no snapshot of the end of training, the checkpoint takes its place. The end comes before the budget if
    all seeds diverged.
    """
    kept = {int(path.stem): path for path in snapshots(run.folder)}
    kept.setdefault(int(run.history["iteration"].max()) + 1, checkpoints(run.folder)[-1])
    known = sorted(kept)
    if requirement.at is not None:
        indices = [int(np.abs(np.array(known) - iteration).argmin()) for iteration in requirement.at(run)]
    elif requirement.snapshots is None:
        indices = list(range(len(known)))
    elif requirement.snapshots == 1:
        indices = [len(known) - 1]
    else:
        indices = np.linspace(0, len(known) - 1, requirement.snapshots).round().astype(int).tolist()
    return {known[index]: kept[known[index]] for index in sorted(set(indices))}


def _is_measured(run: Run, hashes: Mapping[str, str], iterations: Iterable[int]) -> bool:
    """Whether all columns were measured at these iterations, with the settings and code of these hashes.

    NaN counts as measured, since measuring again would give NaN again.
    """
    known, at = measured_with(run.folder), measured_at(run.folder)
    return all(
        known.get(name) == source and at.get(name, frozenset()).issuperset(iterations)
        for name, source in hashes.items()
    )
