"""Measuring at snapshots, and what each column was measured with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import Progress

from badger_sweeps.core.columns import Column, Columns, columns
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.measures.dynamics.lyapunov import divergence_rate
from badger_sweeps.measures.unmeasurable import warn_unmeasurable
from badger_sweeps.reporting.reading.measures import KEYS
from badger_sweeps.reporting.remeasure.snapshots import moments
from badger_sweeps.runs.code import computing_code
from badger_sweeps.runs.run import Plan
from badger_sweeps.training.perturbed_replicas import perturbed_replicas
from badger_sweeps.training.population import Population

PERTURBED_REPLICAS = "lyapunov/replicas"


def measured(
    plan: Plan, measures: Sequence[Measure], paths: Sequence[Path], replica_iterations: int | None, progress: Progress
) -> pd.DataFrame:
    """The measures at these snapshots, and how fast twins part from there: a row for each seed and iteration.

    A seed that had diverged has no row. Where all of them had, each has one without values, which says that this moment
    was looked at.
    """
    task = progress.add_task(plan.name, total=len(paths))
    rows = []
    for moment, population in moments(plan, paths):
        if moment.seeds:
            rows.append(_row(plan, moment, population, measures, replica_iterations))
        else:
            warn_unmeasurable("snapshots", "need a seed that has not diverged", "none")
            rows.append(_nothing(plan, moment.iteration, measures, replica_iterations))
        progress.advance(task)
    progress.update(task, completed=len(paths))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=KEYS)


def _row(
    plan: Plan,
    context: EvaluationContext,
    population: Population,
    measures: Sequence[Measure],
    replica_iterations: int | None,
) -> pd.DataFrame:
    """What is measured at one moment."""
    found = {name: value for measure in measures for name, value in measure.measure(context).items()}
    if replica_iterations:
        parted = perturbed_replicas(plan.experiment, population.state_dict(), replica_iterations)
        rate = divergence_rate(parted.distance, start=replica_iterations // 5, ceiling=float(parted.length.min()) / 10)
        found[PERTURBED_REPLICAS] = rate[context.members]
    values = {name: list(value.detach().cpu().float().numpy()) for name, value in found.items()}
    return pd.DataFrame({"seed": context.seeds, "iteration": context.iteration, **values})


def _nothing(plan: Plan, iteration: int, measures: Sequence[Measure], replica_iterations: int | None) -> pd.DataFrame:
    """What is measured where no seed is left in training: NaN, and None for vectors."""
    seeds = list(plan.experiment.seeds)
    values = {
        name: np.full(len(seeds), None if column.shape else np.nan, dtype=object if column.shape else np.float32)
        for name, column in described(plan, measures, replica_iterations).items()
    }
    return pd.DataFrame({"seed": seeds, "iteration": iteration, **values})


def described(plan: Plan, measures: Sequence[Measure], replica_iterations: int | None) -> Columns:
    """The columns that these measures give."""
    title = "Rate at which perturbed replicas diverge"
    replicas = [Column(PERTURBED_REPLICAS, title, "nats per iteration")] if replica_iterations else []
    each = (column for measure in measures for column in measure.columns(plan.experiment).values())
    return columns(*each, *replicas)


def sources(plan: Plan, measures: Sequence[Measure], replica_iterations: int | None) -> dict[str, str]:
    """With what each column is measured: a hash of the settings and of the code that computes."""
    common = f"{plan.measures.games} {plan.measures.noise} {computing_code()}"
    by_column = {name: repr(measure) for measure in measures for name in measure.columns(plan.experiment)}
    by_column |= {PERTURBED_REPLICAS: f"replicas {replica_iterations}"} if replica_iterations else {}
    return {name: hashlib.sha256(f"{by} {common}".encode()).hexdigest()[:16] for name, by in by_column.items()}


def chosen(measures: Measures, names: Sequence[str]) -> list[Measure]:
    """The measures of these names; ``all``; without names, those that the run was to take.

    Raises:
        UsageError: there is no measure of a name.
    """
    known = measures.by_name
    for name in names:
        if name not in (*known, "all"):
            what = f"must be one of {', '.join(known)} or all"
            raise UsageError(f"MEASURE {what}; found {name!r}.{nearest(name, known)}")
    if not names:
        return [measure for measure in known.values() if measure.every is not None]
    return [measure for name, measure in known.items() if name in names or "all" in names]
