"""``python -m analysis.measure RUNS [MEASURE ...]``: measure finished or stopped runs again, from their snapshots."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from analysis import plateaus
from analysis.measured import KEYS, NAME, read_measures, write_measures
from analysis.snapshots import checkpoints, moments, reopened
from badger_sweeps.evaluation.base import Measure
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.moment import Moment
from badger_sweeps.foundations.errors import UsageError, nearest
from badger_sweeps.measures.dynamics.lyapunov import LEAST_OF_TWINS, divergence_rate
from badger_sweeps.measures.unmeasurable import tell_in_one_line, warn_unmeasurable
from badger_sweeps.runs.code import computing_code
from badger_sweeps.runs.history import read_history
from badger_sweeps.runs.run import Plan
from badger_sweeps.training.population import Population
from badger_sweeps.training.twins import twins

TWINS = "lyapunov/twins"
SHOWN = 3
"""Columns of the table on the terminal; the file has all."""


def measured(
    plan: Plan, measures: Sequence[Measure], paths: Sequence[Path], twin_iterations: int | None, progress: Progress
) -> pd.DataFrame:
    """The measures at these snapshots, and how fast twins part from there: a row for each seed and iteration.

    A seed that had diverged has no row. Where all of them had, each has one without values, which says that this moment
    was looked at.
    """
    task = progress.add_task(plan.name, total=len(paths))
    rows = []
    for moment, population in moments(plan, paths):
        if moment.seeds:
            rows.append(_row(plan, moment, population, measures, twin_iterations))
        else:
            warn_unmeasurable("snapshots", "need a seed that has not diverged", "none")
            rows.append(_nothing(plan, moment.iteration, measures, twin_iterations))
        progress.advance(task)
    progress.update(task, completed=len(paths))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=KEYS)


def _row(
    plan: Plan, moment: Moment, population: Population, measures: Sequence[Measure], twin_iterations: int | None
) -> pd.DataFrame:
    """What is measured at one moment."""
    found = {name: value for measure in measures for name, value in measure.measure(moment).items()}
    if twin_iterations:
        parted = twins(plan.experiment, population.state_dict(), twin_iterations)
        rate = divergence_rate(parted.distance, start=twin_iterations // 5, ceiling=float(parted.length.min()) / 10)
        found[TWINS] = rate[moment.members]
    values = {name: list(value.detach().cpu().float().numpy()) for name, value in found.items()}
    return pd.DataFrame({"seed": moment.seeds, "iteration": moment.iteration, **values})


def _nothing(plan: Plan, iteration: int, measures: Sequence[Measure], twin_iterations: int | None) -> pd.DataFrame:
    """What is measured where no seed is left in training: NaN, and None for vectors."""
    shapes = {name: shape for measure in measures for name, shape in measure.columns(plan.experiment).items()}
    shapes |= {TWINS: ()} if twin_iterations else {}
    seeds = list(plan.experiment.seeds)
    values = {
        name: np.full(len(seeds), None if shape else np.nan, dtype=object if shape else np.float32)
        for name, shape in shapes.items()
    }
    return pd.DataFrame({"seed": seeds, "iteration": iteration, **values})


def sources(plan: Plan, measures: Sequence[Measure], twin_iterations: int | None) -> dict[str, str]:
    """With what each column is measured: a hash of the settings and of the code that computes."""
    common = f"{plan.measures.games} {plan.measures.noise} {computing_code()}"
    columns = {name: repr(measure) for measure in measures for name in measure.columns(plan.experiment)}
    columns |= {TWINS: f"twins {twin_iterations}"} if twin_iterations else {}
    return {name: hashlib.sha256(f"{own} {common}".encode()).hexdigest()[:16] for name, own in columns.items()}


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


def main() -> None:
    """Exit status 2 where there is nothing to measure, or for what the user can mend."""
    arguments = _arguments()
    tell_in_one_line()
    console = Console()
    try:
        folders = [path.parent.parent for path in sorted(arguments.runs.rglob(".hydra/config.yaml"))]
        folders = [folder for folder in folders if checkpoints(folder)]
        if not folders:
            rule = "must have runs with snapshots (training.snapshot_every) below it"
            raise UsageError(f"`{arguments.runs}` {rule}; found none.")
        names = [word for word in arguments.words if "=" not in word]
        changes = [word for word in arguments.words if "=" in word]
        plans = [reopened(folder, changes) for folder in folders]
        for each in plans:
            chosen(each.measures, names)
        with Progress(console=console, disable=not console.is_terminal) as progress:
            for plan in plans:
                _measure(plan, names, arguments.every, arguments.twins, progress, console)
    except UsageError as error:
        print(f"analysis.measure: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _measure(
    plan: Plan, names: Sequence[str], every: int, twin_iterations: int | None, progress: Progress, console: Console
) -> None:
    measures = [measure for measure in chosen(plan.measures, names) if measure.columns(plan.experiment)]
    if twin_iterations and not names:
        measures = []
    found = measured(plan, measures, checkpoints(plan.folder, every), twin_iterations, progress)
    write_measures(plan.folder, found, sources(plan, measures, twin_iterations))
    _show(plan, found, console)
    rests = plateaus.table(plan, read_history(plan.folder), read_measures(plan.folder))
    if rests is not None:
        path = plateaus.write(plan.folder, rests)
        console.print(f"plateaus: {os.path.relpath(path)}", markup=False, highlight=False, soft_wrap=True)
    where = os.path.relpath(plan.folder / NAME)
    console.print(f"measures: {where}", markup=False, highlight=False, soft_wrap=True)


def _show(plan: Plan, found: pd.DataFrame, console: Console) -> None:
    """Mean and standard deviation over seeds of all numbers that are ever known, but for single pairs and dimensions.

    A cell is a dash where a seed has no value: the mean of the others would be of seeds that were selected.
    """
    numbers = found.drop(columns="seed").select_dtypes("number").dropna(axis="columns", how="all")
    numbers = numbers.drop(columns=[name for name in numbers if re.search(r"/\d+(__\d+)?$", str(name))])
    seeds = numbers.groupby("iteration")
    means, deviations = seeds.mean().where(seeds.count() == len(plan.experiment.seeds)), seeds.std(ddof=1)
    title = f"{plan.name}: mean ± standard deviation over seeds"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.add_column("measure", no_wrap=True)
    steps = means.index[:: max(1, -(-len(means) // SHOWN))]
    for iteration in steps:
        table.add_column(str(iteration), justify="right")
    for name in means:
        cells = zip(means[name][steps], deviations[name][steps], strict=True)
        table.add_row(str(name), *(_cell(mean, deviation) for mean, deviation in cells))
    console.print(table)


def _cell(mean: float, deviation: float) -> str:
    """A single seed has no deviation."""
    if pd.isna(mean):
        return "-"
    return f"{mean:.3g}" if pd.isna(deviation) else f"{mean:.3g} ± {deviation:.2g}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.measure",
        description=__doc__.split(": ", 1)[1],
        epilog="Writes measures.parquet and plateaus.parquet into each run's folder.",
    )
    parser.add_argument("runs", type=Path, help="a folder with runs below it")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="MEASURE | measures.KEY=VALUE",
        help="a measure of conf/measures/standard.yaml, or all (default: those the run took); a change of its settings",
    )
    parser.add_argument("--every", type=int, default=1, help="only snapshots at multiples of so many iterations")
    parser.add_argument(
        "--twins",
        type=int,
        metavar="N",
        help="train twins for N iterations from every snapshot: lyapunov/twins, alone unless a MEASURE is named",
    )
    arguments = parser.parse_args()
    for name, value, least in (("--every", arguments.every, 1), ("--twins", arguments.twins, 2 * LEAST_OF_TWINS)):
        if value is not None and value < least:
            parser.error(f"{name} must be at least {least}; found {value}")
    return arguments


if __name__ == "__main__":
    main()
