"""Measures at snapshots, and the hashes of the settings and code they are taken with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import Progress
from torch import Tensor

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.chunks import EvaluationChunks
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.measures.dynamics.lyapunov import divergence_rate
from badger_sweeps.measures.unmeasurable import warn_unmeasurable
from badger_sweeps.reporting.remeasure.snapshots import restored
from badger_sweeps.runs.code import computing_code
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.snapshot_measures import KEYS
from badger_sweeps.training.perturbed_replicas import perturbed_replicas
from badger_sweeps.training.population import Population

PERTURBED_REPLICAS = "lyapunov/replicas"
REPLICA_COLUMNS = columns(Column(PERTURBED_REPLICAS, "Rate at which perturbed replicas diverge", "nats per iteration"))
"""The column of `badger-sweeps measure --replicas`."""


def take_measures(
    plan: Plan, measures: Sequence[Measure], paths: Sequence[Path], replica_iterations: int | None, progress: Progress
) -> pd.DataFrame:
    """The measures at these snapshots: a data frame with a row for each seed and iteration.

    A seed that had diverged has no row. If all seeds had diverged, each has a row without values, which records that
    this iteration was measured.

    Args:
        plan: the run.
        measures: the measures to take.
        paths: the snapshots.
        replica_iterations: iterations to train perturbed replicas for, to measure how fast they diverge; None: none.
        progress: shows the progress.
    """
    task = progress.add_task(plan.name, total=len(paths))
    rows = []
    evaluation: EvaluationChunks | None = None
    for population, losses in restored(plan, paths):
        settings = plan.measures
        evaluation = evaluation or EvaluationChunks(plan.experiment, population.engine, settings.games, settings.noise)
        if population.active.any():
            tensors = evaluation.measure(measures, population, losses)
            rows.append(_rows(plan, population, tensors, replica_iterations))
        else:
            warn_unmeasurable("snapshots", "need a seed that has not diverged", "none")
            rows.append(_missing_rows(plan, population.iteration, measures, replica_iterations))
        progress.advance(task)
    progress.update(task, completed=len(paths))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=KEYS)


def _rows(
    plan: Plan, population: Population, measured: Mapping[str, Tensor], replica_iterations: int | None
) -> pd.DataFrame:
    """The rows of one snapshot, with the measures of its members in training."""
    members, iteration = population.active.nonzero().flatten().cpu(), population.iteration
    tensors = dict(measured)
    if replica_iterations:
        pairs = perturbed_replicas(plan.experiment, population.state_dict(), replica_iterations)
        rate = divergence_rate(pairs.distance, start=replica_iterations // 5, ceiling=float(pairs.length.min()) / 10)
        tensors[PERTURBED_REPLICAS] = rate.detach().cpu()[members]
    values = {name: list(value.float().numpy()) for name, value in tensors.items()}
    seeds = [plan.experiment.seeds[member] for member in members.tolist()]
    return pd.DataFrame({"seed": seeds, "iteration": iteration, **values})


def _missing_rows(
    plan: Plan, iteration: int, measures: Sequence[Measure], replica_iterations: int | None
) -> pd.DataFrame:
    """The rows of a snapshot at which all seeds had diverged: NaN for numbers, None for vectors."""
    seeds = list(plan.experiment.seeds)
    values = {
        name: np.full(len(seeds), None if column.shape else np.nan, dtype=object if column.shape else np.float32)
        for name, column in measured_columns(plan, measures, replica_iterations).items()
    }
    return pd.DataFrame({"seed": seeds, "iteration": iteration, **values})


def measured_columns(plan: Plan, measures: Sequence[Measure], replica_iterations: int | None) -> Columns:
    """The columns of these measures."""
    each = (column for measure in measures for column in measure.columns(plan.experiment).values())
    return {**columns(*each), **(REPLICA_COLUMNS if replica_iterations else {})}


def measurement_hashes(plan: Plan, measures: Sequence[Measure], replica_iterations: int | None) -> dict[str, str]:
    """By column, a hash of the settings and the code it is measured with."""
    common = f"{plan.measures.games} {plan.measures.noise} {computing_code()}"
    by_column = {name: repr(measure) for measure in measures for name in measure.columns(plan.experiment)}
    by_column |= {PERTURBED_REPLICAS: f"replicas {replica_iterations}"} if replica_iterations else {}
    return {name: hashlib.sha256(f"{by} {common}".encode()).hexdigest()[:16] for name, by in by_column.items()}


def select_measures(measures: Measures, names: Sequence[str]) -> list[Measure]:
    """The measures with these names; all for the name ``all``; without names, those in the run's configuration.

    Raises:
        UsageError: there is no measure of a name.
        MissingLibraryError: a measure needs a library that is not installed.
    """
    known = measures.by_name
    for name in names:
        if name not in (*known, "all"):
            rule = f"must be one of {', '.join(known)} or all"
            raise UsageError(f"MEASURE {rule}; found {name!r}.{nearest(name, known)}")
    selected = [
        measure
        for name, measure in known.items()
        if (name in names or "all" in names if names else measure.every is not None)
    ]
    for measure in selected:
        measure.check_library()
    return selected
