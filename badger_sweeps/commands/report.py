"""``badger-sweeps report RUNS``: print the result table of the runs below a folder and build its `report.html`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from badger_sweeps.commands.command import typed_path
from badger_sweeps.core.errors import UsageError
from badger_sweeps.reporting.formatting import confirmation, results, search_tables
from badger_sweeps.reporting.inference.comparison import Difference, Row, compare_runs, row
from badger_sweeps.reporting.page.page import REPORT_FILE, build
from badger_sweeps.reporting.reading.collection import Collection, gather
from badger_sweeps.reporting.reading.search import RecordedSearch, parameter_names
from badger_sweeps.reporting.studies.result import StudyResult
from badger_sweeps.tracking.tables import print_rows

EXAMPLE = "badger-sweeps report runs/quickstart"
SENTENCES = 9
"""Maximum number of differences printed as sentences; of more, those with the smallest p-values are printed."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("runs", metavar="RUNS", type=typed_path, help="a folder with runs below it")


def run(options: argparse.Namespace) -> None:
    """Print the table and build the page."""
    make(options.runs, Console())


def make(
    folder: Path, console: Console, study: StudyResult | None = None, collection: Collection | None = None
) -> None:
    """Print the table and build the page.

    Args:
        folder: the folder of the runs.
        console: the console to print to.
        study: the evaluation of the claim that the runs are a study of; None if there is none.
        collection: the folder's runs; None reads them.

    Raises:
        UsageError: there are no finished runs, or the page cannot be written.
    """
    collection = collection or gather(folder)
    if not collection.runs and collection.search is None:
        reasons = [f"{name}: {reason}" for name, reason in collection.left_out]
        unfinished = f"{len(reasons)} unfinished or damaged ({reasons[0]})" if reasons else "none"
        unread = dict(collection.left_out).get(".")
        raise UsageError(unread or f"`{folder}` must have finished runs below it; found {unfinished}.")
    if collection.search is not None:
        print_search(collection.search, console)
    rows, differences, path = [row(run) for run in collection.runs], compare_runs(collection), folder / REPORT_FILE
    print_table(collection, rows, differences, console)
    try:
        build(collection, rows, differences, path, study=study)
    except OSError as error:
        raise UsageError(f"`{path}` must be a file that can be written; found: {error.strerror}.") from None
    console.print(f"report: {os.path.relpath(path)}", markup=False, highlight=False, soft_wrap=True)


def print_search(search: RecordedSearch, console: Console) -> None:
    """Print a search's progress, result and confirmation, and its best trials."""
    first, *others = search_tables.status_sentences(search)
    lines = [f"{search.state.name}: {first}", *others]
    for line in [*lines, *confirmation.confirmation_report(search).sentences]:
        console.print(line, markup=False, highlight=False)
    table = search_tables.table(search, search_tables.ROWS_ON_TERMINAL)
    columns = table.columns[2 : table.fixed - ("iterations" in table.columns)]
    names = search_tables.short_names(parameter_names(search))
    rows = []
    for trial in table.rows:
        values = zip(names, trial.cells[table.fixed :], strict=False)
        params = " ".join(f"{name}={value}" for name, value in values if value != "-")
        number = " ".join([trial.cells[0], *(trial.roles or ([] if trial.complete else [trial.cells[1]]))])
        rows.append([number, *trial.cells[2 : 2 + len(columns)], params])
    print_rows(console, ["trial", *columns, "parameters"], rows, left=(0, len(columns) + 1))


def print_table(
    collection: Collection, rows: Sequence[Row], differences: Sequence[Difference], console: Console
) -> None:
    """Print the result table, the paired differences, and the folders that were left out."""
    lines = []
    if collection.runs:
        shown = results.ON_TERMINAL
        print_rows(console, results.COLUMNS[:shown], [results.cells(row)[:shown] for row in rows])
        lines = ["Brackets: 95 % intervals over seeds (BCa). p: sign-flip test, Holm-adjusted.", ""]
    lines += [results.sentence(difference) for difference in _printed(differences)]
    lines += (
        [f"{len(differences) - SENTENCES} more comparisons are in the report."] if len(differences) > SENTENCES else []
    )
    lines += [f"left out: {folder}: {reason}" for folder, reason in collection.left_out]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _printed(differences: Sequence[Difference]) -> Sequence[Difference]:
    """At most `SENTENCES` differences, those with the smallest p-values, in their original order."""
    if len(differences) <= SENTENCES:
        return differences
    by_p_value = sorted(differences, key=lambda one: (one.paired.p_value is None, one.paired.p_value or 0.0))
    smallest = by_p_value[:SENTENCES]
    return [difference for difference in differences if difference in smallest]
