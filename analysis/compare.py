"""``python -m analysis.compare A B``: what differs between two runs, by how much their outcomes do, and the picture."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis import wording
from analysis.comparison import QUANTITIES, Difference, differences, row
from analysis.gather import Collection, Run, differing_keys, gather, labels_of
from analysis.page import build
from badger_sweeps.runs.provenance import code_version

OUT = Path("comparison.html")
SHORT = {
    "escape_iteration": "escape",
    "plateau_iterations": "on plateaus",
    "solved_iteration": "solved",
    "final_loss": "final loss",
}
"""What quantities are called in the table."""


class NotOneRun(ValueError):
    """A folder without a finished run, or with several; the message is one line."""


def main() -> None:
    """Exit status 2 where a folder does not hold one finished run."""
    parser = argparse.ArgumentParser(prog="python -m analysis.compare", description=__doc__.split(": ", 1)[1])
    parser.add_argument(
        "a", metavar="A", type=Path, help="the folder of a finished run, which the other is compared with"
    )
    parser.add_argument("b", metavar="B", type=Path, help="the folder of another finished run")
    parser.add_argument("--out", type=Path, default=OUT, help="the page to write (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        runs = pair(arguments.a, arguments.b)
        if not arguments.out.absolute().parent.is_dir() or arguments.out.is_dir():
            raise NotOneRun(f"`--out` must be a file in a folder that exists; found `{arguments.out}`.")
    except NotOneRun as error:
        print(f"analysis.compare: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    compared = differences(runs, (*QUANTITIES, "final_loss"))
    console = Console()
    print_configurations(runs, console)
    print_differences(runs, compared, console)
    heading = f"{runs[1].label} beside {runs[0].label}"
    collection = Collection(arguments.out.absolute().parent, runs, ())
    build(collection, [row(run) for run in runs], compared, arguments.out, heading)
    console.print(f"picture: {os.path.relpath(arguments.out)}", markup=False, highlight=False, soft_wrap=True)


def pair(first: Path, second: Path) -> tuple[Run, Run]:
    """The runs in two folders, labelled by what tells them apart.

    Raises:
        NotOneRun: a folder does not hold one finished run, or both are one.
    """
    runs = [_only(folder) for folder in (first, second)]
    folders = [run.folder.resolve() for run in runs]
    if folders[0] == folders[1]:
        raise NotOneRun(f"A and B must be two runs; found `{first}` twice.")
    labels = labels_of([run.summary.name for run in runs], [os.path.relpath(run.folder) for run in runs])
    one, other = (replace(run, label=label) for run, label in zip(runs, labels, strict=True))
    return one, other


def print_configurations(runs: tuple[Run, Run], console: Console) -> None:
    """Print the keys in which the runs differ, and the code where they were not made by the same."""
    table = _table("configuration", *(run.label for run in runs))
    for key in differing_keys(runs):
        table.add_row(key, *(Text(str(run.config.get(key, "-"))) for run in runs))
    versions = [code_version(run.folder) for run in runs]
    if versions[0] != versions[1]:
        table.add_row("(version of the code)", *map(Text, versions))
    if table.row_count:
        console.print(table)
    else:
        console.print("The configurations do not differ.")


def print_differences(runs: tuple[Run, Run], compared: list[Difference], console: Console) -> None:
    """Print both runs' results, and the differences seed by seed."""
    shared = {outcome.seed for outcome in runs[0].summary.outcomes} & {own.seed for own in runs[1].summary.outcomes}
    table = _table(*wording.COLUMNS[: wording.ON_TERMINAL])
    for run in runs:
        table.add_row(*map(Text, wording.cells(row(run))[: wording.ON_TERMINAL]))
    console.print(table)
    if not shared:
        console.print("They share no seed: nothing can be paired. Train both on the same seeds.")
        return
    table = _table(f"{len(shared)} seeds", *wording.DIFFERENCE_COLUMNS[1:])
    for difference in compared:
        cells = [text for text, _ in wording.difference_cells(difference)[1:]]
        table.add_row(SHORT[difference.quantity], *map(Text, cells))
    console.print(table)
    console.print(
        "Differences: the second minus the first, paired by seed, with 95 % intervals (BCa). Effect: in standard "
        "deviations of them (Hedges). p: sign-flip test, Holm-adjusted.",
    )
    for difference in compared:
        console.print(wording.sentence(difference), markup=False, highlight=False)


def _only(folder: Path) -> Run:
    collection = gather(folder)
    if len(collection.runs) == 1:
        return collection.runs[0]
    if not collection.runs:
        reasons = f" ({collection.left_out[0][1]})" if collection.left_out else ""
        raise NotOneRun(f"`{folder}` must be the folder of a finished run; found none{reasons}.")
    names = ", ".join(os.path.relpath(run.folder) for run in collection.runs[:3])
    raise NotOneRun(f"`{folder}` must be the folder of one run; found {len(collection.runs)}: {names}, ...")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if number else "left", overflow="fold")
    return table


if __name__ == "__main__":
    main()
