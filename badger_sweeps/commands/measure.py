"""``badger-sweeps measure RUNS [MEASURE ...]``: measure finished or stopped runs again, from their snapshots."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from badger_sweeps.commands.command import typed_path
from badger_sweeps.configuration.recorded import run_folders
from badger_sweeps.core.columns import Columns
from badger_sweeps.core.errors import UsageError
from badger_sweeps.measures.dynamics.lyapunov import LEAST_OF_REPLICAS
from badger_sweeps.reporting.remeasure import plateaus
from badger_sweeps.reporting.remeasure.measure import (
    measured_columns,
    measurement_hashes,
    select_measures,
    take_measures,
)
from badger_sweeps.reporting.remeasure.snapshots import checkpoints, reopened
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.run import Plan
from badger_sweeps.runs.snapshot_measures import MEASURES_FILE, read_measures, write_measures
from badger_sweeps.tracking.tables import print_rows

EXAMPLE = "badger-sweeps measure runs/quickstart gradients --every 500"
SHOWN = 3
"""Iterations in the table on the terminal; the file has all."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = f"{parser.description} Writes measures.parquet and plateaus.parquet into each run's folder."
    parser.add_argument("runs", metavar="RUNS", type=typed_path, help="a folder with runs below it")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="MEASURE | measures.KEY=VALUE",
        help="a measure of `badger-sweeps columns`, or all (default: the run's measures); a change of its settings",
    )
    parser.add_argument(
        "--every", type=int, default=1, help="only snapshots at multiples of this many iterations, and the last one"
    )
    parser.add_argument(
        "--replicas",
        type=int,
        metavar="N",
        help="train perturbed replicas for N iterations from every snapshot (lyapunov/replicas); "
        "without other measures unless a MEASURE is named",
    )


def run(options: argparse.Namespace) -> None:
    """Measure all runs below a folder; those that are damaged are named at the end, and left out."""
    for name, value, least in (("--every", options.every, 1), ("--replicas", options.replicas, 2 * LEAST_OF_REPLICAS)):
        if value is not None and value < least:
            raise UsageError(f"`{name}` must be at least {least}; found {value}.")
    console = Console()
    folders = [folder for folder in run_folders(options.runs) if checkpoints(folder)]
    if not folders:
        rule = "must have runs with snapshots (training.snapshot_every) below it"
        raise UsageError(f"`{options.runs}` {rule}; found none.")
    names = [word for word in options.words if "=" not in word]
    changes = [word for word in options.words if "=" in word]
    plans = [reopened(folder, changes) for folder in folders]
    for plan in plans:
        select_measures(plan.measures, names)
    damaged: list[tuple[Path, UsageError]] = []
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for plan in plans:
            try:
                _measure(plan, names, options.every, options.replicas, progress, console)
            except UsageError as error:
                damaged.append((plan.folder, error))
    if len(damaged) == len(plans):
        raise damaged[0][1]
    for folder, reason in damaged:
        line = f"left out: {os.path.relpath(folder)}: {reason}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _measure(
    plan: Plan, names: Sequence[str], every: int, replica_iterations: int | None, progress: Progress, console: Console
) -> None:
    measures = [measure for measure in select_measures(plan.measures, names) if measure.columns(plan.experiment)]
    if replica_iterations and not names:
        measures = []
    values = take_measures(plan, measures, checkpoints(plan.folder, every), replica_iterations, progress)
    described = measured_columns(plan, measures, replica_iterations)
    write_measures(plan.folder, values, measurement_hashes(plan, measures, replica_iterations), described)
    _show(plan, values, described, console)
    plateau_table = plateaus.table(plan, read_history(plan.folder), read_measures(plan.folder))
    if plateau_table is not None:
        path = plateaus.write(plan.folder, plateau_table)
        console.print(f"plateaus: {os.path.relpath(path)}", markup=False, highlight=False, soft_wrap=True)
    where = os.path.relpath(plan.folder / MEASURES_FILE)
    console.print(f"measures: {where}", markup=False, highlight=False, soft_wrap=True)


def _show(plan: Plan, values: pd.DataFrame, described: Columns, console: Console) -> None:
    """Print mean and standard deviation over seeds of all columns of numbers, without those per pair or dimension.

    A cell is a dash if a seed has no value, since a mean over the remaining seeds would be biased by their selection.
    """
    numbers = values.drop(columns="seed").select_dtypes("number").dropna(axis="columns", how="all")
    numbers = numbers.drop(columns=[name for name, column in described.items() if name in numbers and column.per])
    seeds = numbers.groupby("iteration")
    means, deviations = seeds.mean().where(seeds.count() == len(plan.experiment.seeds)), seeds.std(ddof=1)
    steps = means.index[:: max(1, -(-len(means) // SHOWN))]
    rows = []
    for name in means:
        cells = zip(means[name][steps], deviations[name][steps], strict=True)
        rows.append([str(name), *(_cell(mean, deviation) for mean, deviation in cells)])
    console.print(f"{plan.name}: mean ± standard deviation over seeds", markup=False, highlight=False)
    print_rows(console, ["measure", *map(str, steps)], rows)


def _cell(mean: float, deviation: float) -> str:
    """Mean and standard deviation; only the mean for a single seed."""
    if pd.isna(mean):
        return "-"
    return f"{mean:.3g}" if pd.isna(deviation) else f"{mean:.3g} ± {deviation:.2g}"
