"""``badger-sweeps columns``: list all columns of histories and measures, with their titles and units."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import NamedTuple

from rich.console import Console

from badger_sweeps.core.columns import Column
from badger_sweeps.tracking.tables import print_rows

EXAMPLE = "badger-sweeps columns"
TRAINING = "(training)"
"""Shown in the place of a measure for columns that training records in every iteration."""
REPLICAS = "(measure --replicas)"
PLATEAUS = "(plateaus.parquet)"
GENERAL = {
    "pair": ("II__JJ", r"\d+ and \d+", "I and J"),
    "dimension": ("K", r"(?<=dimension )\d+", "K"),
    "frequency": ("KK", r"(?<=frequency )\d+", "K"),
}
"""For columns per pair, dimension or frequency: placeholders in the name, numbers in titles, and placeholders there."""


class ListedColumn(NamedTuple):
    """One column, or all columns of one kind: of pairs, dimensions or frequencies."""

    column: str
    title: str
    unit: str
    measure: str
    every: str
    """Iterations between measurements at the default settings; a dash for measures that are off."""
    panel: str
    """The title of the panel that it shares with other columns, or its own title."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--markdown", action="store_true", help="the standard measures as the README's table, in Markdown"
    )


def run(options: argparse.Namespace) -> None:
    """Print the list."""
    if options.markdown:
        print(readme_table(rows()))
    else:
        shown = [(row.column, f"{row.title}{f' ({row.unit})' if row.unit else ''}", row.measure) for row in rows()]
        print_rows(Console(), ("column", "what it holds", "measure"), shown, left=(0, 1, 2))


def rows() -> list[ListedColumn]:
    """All columns, of either task and with annealed settings, at the defaults of all other settings.

    `plateaus.parquet` has the means of a run's measures as well, under their own names.
    """
    from badger_sweeps.architectures.tcnn import TCNN
    from badger_sweeps.evaluation.measures import Measures
    from badger_sweeps.reporting.remeasure import measure as remeasure
    from badger_sweeps.reporting.remeasure import plateaus
    from badger_sweeps.runs.run import STAIRCASE_COLUMNS
    from badger_sweeps.tasks.frequency import Frequency
    from badger_sweeps.training.experiment import Experiment
    from badger_sweeps.training.loop import metric_columns

    game, frequency = Experiment(device="cpu"), Experiment(device="cpu", task=Frequency())
    annealed = Experiment(device="cpu", architecture=TCNN())
    listed = _rows({**metric_columns(game), **metric_columns(annealed), **STAIRCASE_COLUMNS}, TRAINING, 1)
    for name, measure in Measures().by_name.items():
        listed += _rows({**measure.columns(game), **measure.columns(frequency)}, name, measure.every)
    return listed + _rows(remeasure.REPLICA_COLUMNS, REPLICAS, None) + _rows(plateaus.COLUMNS, PLATEAUS, None)


def readme_table(listed: list[ListedColumn]) -> str:
    """The measures that are on at the default settings as a Markdown table, with the columns grouped by panel."""
    lines = ["| `measures.…` | every | columns |", "|---|---|---|"]
    for measure in dict.fromkeys(row.measure for row in listed if row.every != "-" and row.measure != TRAINING):
        panels: dict[str, list[ListedColumn]] = {}
        for row in listed:
            if row.measure == measure:
                panels.setdefault(row.panel, []).append(row)
        cells = []
        for panel, together in panels.items():
            names = ", ".join(f"`{row.column}`" for row in together)
            cells.append(f"{panel}{f' ({together[0].unit})' if together[0].unit else ''}: {names}")
        every = next(row.every for row in listed if row.measure == measure)
        lines.append(f"| `{measure}` | {every} | {'; '.join(cells)} |")
    return "\n".join(lines)


def _rows(columns: Mapping[str, Column], measure: str, every: int | None) -> list[ListedColumn]:
    cadence = "-" if every is None else str(every)
    listed = []
    for column in columns.values():
        name, title = _general(column)
        listed.append(ListedColumn(name, title, column.unit, measure, cadence, column.panel or title))
    return list(dict.fromkeys(listed))


def _general(column: Column) -> tuple[str, str]:
    """A column's name and title, with placeholders for the numbers of its pair, dimension or frequency."""
    if not column.per:
        return column.name, column.title
    in_name, numbers, in_title = GENERAL[column.per]
    return f"{column.group}/{in_name}", re.sub(numbers, in_title, column.title)
