"""``python -m analysis.report RUNS``: print the result table of the runs below a folder and build its `report.html`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis import sweep_words, verdict, wording
from analysis.comparison import Difference, Row, differences, row
from analysis.gather import Collection, gather
from analysis.page import NAME, build
from analysis.sweep import Sweep, parameters
from badger_sweeps.foundations.errors import UsageError

if TYPE_CHECKING:
    from analysis.study import Study

SENTENCES = 9
"""Differences that the terminal tells of, of more those that are surest."""


def print_search(sweep: Sweep, console: Console) -> None:
    """Print how a search stands, what it found, whether that is confirmed, and its best trials."""
    lines = [f"{sweep.view.name}: {sweep_words.how_many(sweep)[0]}", *sweep_words.how_many(sweep)[1:]]
    for line in [*lines, *verdict.verdict(sweep).sentences]:
        console.print(line, markup=False, highlight=False)
    found = sweep_words.table(sweep, sweep_words.ROWS_ON_TERMINAL)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    columns = found.columns[2 : found.fixed - ("iterations" in found.columns)]
    for column in ("trial", *columns, "parameters"):
        table.add_column(column, justify="left" if column in ("trial", "parameters") else "right", overflow="fold")
    names = sweep_words.short_names(parameters(sweep))
    for own in found.rows:
        values = zip(names, own.cells[found.fixed :], strict=False)
        params = " ".join(f"{name}={value}" for name, value in values if value != "-")
        number = " ".join([own.cells[0], *(own.roles or ([] if own.complete else [own.cells[1]]))])
        table.add_row(*map(Text, (number, *own.cells[2 : 2 + len(columns)], params)))
    console.print(table)


def print_table(collection: Collection, rows: Sequence[Row], compared: Sequence[Difference], console: Console) -> None:
    """Print the result table, what is left out of it, and the paired differences."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, column in enumerate(wording.COLUMNS[: wording.ON_TERMINAL]):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for own in rows:
        table.add_row(*map(Text, wording.cells(own)[: wording.ON_TERMINAL]))
    lines = []
    if collection.runs:
        console.print(table)
        lines = ["Brackets: 95 % intervals over seeds (BCa). p: sign-flip test, Holm-adjusted.", ""]
    lines += [wording.sentence(difference) for difference in _told(compared)]
    lines += [f"{len(compared) - SENTENCES} more comparisons are in the report."] if len(compared) > SENTENCES else []
    lines += [f"left out: {folder}: {reason}" for folder, reason in collection.left_out]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def main() -> None:
    """Exit status 2 where there is nothing to report."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description=__doc__.split(": ", 1)[1])
    parser.add_argument("runs", type=Path, help="a folder with runs below it")
    try:
        make(parser.parse_args().runs, Console())
    except UsageError as error:
        print(f"analysis.report: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def make(folder: Path, console: Console, study: Study | None = None, collection: Collection | None = None) -> None:
    """Print the table and build the page.

    Args:
        folder: with the runs.
        console: to print to.
        study: what was found of the claim that these runs are about, if there is one.
        collection: the folder's runs, where they were read before.

    Raises:
        UsageError: there is nothing to report, or the page cannot be written.
    """
    collection = collection or gather(folder)
    if not collection.runs and collection.search is None:
        unfinished = f"{len(collection.left_out)} unfinished or damaged" if collection.left_out else "none"
        unread = dict(collection.left_out).get(".")
        raise UsageError(unread or f"`{folder}` must have finished runs below it; found {unfinished}.")
    if collection.search is not None:
        print_search(collection.search, console)
    rows, compared, path = [row(run) for run in collection.runs], compare(collection), folder / NAME
    print_table(collection, rows, compared, console)
    try:
        build(collection, rows, compared, path, study=study)
    except OSError as error:
        raise UsageError(f"`{path}` must be a file that can be written; found: {error.strerror}.") from None
    console.print(f"report: {os.path.relpath(path)}", markup=False, highlight=False, soft_wrap=True)


def compare(collection: Collection) -> list[Difference]:
    """Of runs that no search has chosen by the seeds they are compared on.

    What a search was for is compared in its own section, where it is the one comparison made and not one of several.
    """
    told = collection.search.objectives[0] if collection.search is not None else None
    found = differences([run for run in collection.runs if not run.searched])
    return [difference for difference in found if difference.quantity != told]


def _told(compared: Sequence[Difference]) -> Sequence[Difference]:
    """All of a few; of many the surest, in their order."""
    if len(compared) <= SENTENCES:
        return compared
    surest = sorted(compared, key=lambda own: (own.paired.p_value is None, own.paired.p_value or 0.0))[:SENTENCES]
    return [own for own in compared if own in surest]


if __name__ == "__main__":
    main()
