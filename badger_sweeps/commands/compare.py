"""``badger-sweeps compare A B``: compare two runs' configurations and results, and build their page."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from badger_sweeps.commands.command import typed_path
from badger_sweeps.core.errors import UsageError
from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.reporting.formatting import results
from badger_sweeps.reporting.inference.comparison import Difference, differences, row
from badger_sweeps.reporting.page.page import build
from badger_sweeps.reporting.reading.collection import Collection, Run, differing_keys, gather, short_labels
from badger_sweeps.runs.provenance import code_version
from badger_sweeps.tracking.tables import print_rows

EXAMPLE = "badger-sweeps compare runs/quickstart/gru runs/quickstart/exponential"
OUT = Path("comparison.html")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "a", metavar="A", type=typed_path, help="the folder of a finished run, to which the other run is compared"
    )
    parser.add_argument("b", metavar="B", type=typed_path, help="the folder of another finished run")
    parser.add_argument("--out", type=typed_path, default=OUT, help="the page to write (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Print the differences between the configurations, both results and their differences, and build the page."""
    runs = pair(options.a, options.b)
    if not options.out.absolute().parent.is_dir() or options.out.is_dir():
        raise UsageError(f"`--out` must be a file in a folder that exists; found `{options.out}`.")
    compared = differences(runs, [objective.name for objective in OBJECTIVES.values()])
    console = Console()
    print_configurations(runs, console)
    print_differences(runs, compared, console)
    heading = f"{runs[1].label} compared with {runs[0].label}"
    collection = Collection(options.out.absolute().parent, runs, ())
    build(collection, [row(run) for run in runs], compared, options.out, heading)
    console.print(f"page: {os.path.relpath(options.out)}", markup=False, highlight=False, soft_wrap=True)


def pair(first: Path, second: Path) -> tuple[Run, Run]:
    """The runs in two folders, labelled by the parts of their names in which they differ.

    Raises:
        UsageError: a folder does not hold exactly one finished run, or both folders are the same.
    """
    runs = [_only(folder) for folder in (first, second)]
    folders = [run.folder.resolve() for run in runs]
    if folders[0] == folders[1]:
        raise UsageError(f"A and B must be two runs; found `{first}` twice.")
    labels = short_labels([run.summary.name for run in runs], [os.path.relpath(run.folder) for run in runs])
    one, other = (replace(run, label=label) for run, label in zip(runs, labels, strict=True))
    return one, other


def print_configurations(runs: tuple[Run, Run], console: Console) -> None:
    """Print the keys in which the runs differ, and the versions of the code if they differ."""
    rows = [[key, *(str(run.config.get(key, "-")) for run in runs)] for key in differing_keys(runs)]
    versions = [code_version(run.folder) for run in runs]
    if versions[0] != versions[1]:
        rows.append(["(version of the code)", *versions])
    if rows:
        print_rows(console, ["configuration", *(run.label for run in runs)], rows)
    else:
        console.print("The configurations do not differ.")


def print_differences(runs: tuple[Run, Run], compared: list[Difference], console: Console) -> None:
    """Print both runs' results, and their differences paired by seed."""
    first, second = ({outcome.seed for outcome in run.summary.outcomes} for run in runs)
    shared = first & second
    shown = results.ON_TERMINAL
    print_rows(console, results.COLUMNS[:shown], [results.cells(row(run))[:shown] for run in runs])
    if not shared:
        console.print("The runs share no seed, so they cannot be paired. Train both on the same seeds.")
        return
    budgets = sorted({run.summary.budget for run in runs})
    if len(budgets) > 1:
        whole = " and ".join(objective.heading for objective in OBJECTIVES.values() if objective.needs_whole_run)
        console.print(
            f"The runs trained for {budgets[0]} and {budgets[1]} iterations: times are compared within {budgets[0]}, "
            f"and {whole} not at all."
        )
    rows = [
        [OBJECTIVES[difference.objective].label, *(text for text, _ in results.difference_cells(difference)[1:])]
        for difference in compared
    ]
    print_rows(console, [f"{len(shared)} seeds", *results.DIFFERENCE_COLUMNS[1:]], rows)
    console.print(
        "Differences: the second run minus the first, paired by seed, with 95 % intervals (BCa). Effect: in standard "
        "deviations of the differences (Hedges). p: sign-flip test, Holm-adjusted.",
    )
    for difference in compared:
        console.print(results.sentence(difference), markup=False, highlight=False)


def _only(folder: Path) -> Run:
    collection = gather(folder)
    if len(collection.runs) == 1:
        return collection.runs[0]
    if not collection.runs:
        reasons = f" ({collection.left_out[0][1]})" if collection.left_out else ""
        raise UsageError(f"`{folder}` must be the folder of a finished run; found none{reasons}.")
    names = ", ".join(os.path.relpath(run.folder) for run in collection.runs[:3])
    raise UsageError(f"`{folder}` must be the folder of one run; found {len(collection.runs)}: {names}, ...")
