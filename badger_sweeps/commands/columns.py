"""``badger-sweeps columns``: list all columns of histories and measures, with their titles and units."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import NamedTuple

from rich.console import Console

from badger_sweeps.core.columns import Column
from badger_sweeps.reporting.formatting.terminal import print_rows

EXAMPLE = "badger-sweeps columns"
TRAINING = "(training)"
"""What stands for a measure of what is recorded in every iteration."""
GENERAL = {
    "pair": ("II__JJ", r"\d+ and \d+", "I and J"),
    "dimension": ("K", r"(?<=dimension )\d+", "K"),
    "frequency": ("KK", r"(?<=frequency )\d+", "K"),
}
"""Of columns that there are several of: the letters in the name of all, the numbers in titles, and their letters."""


class ListedColumn(NamedTuple):
    """One column, or all of a kind: of pairs, dimensions or frequencies."""

    column: str
    title: str
    unit: str
    measure: str
    every: str
    """Iterations between measurements at the defaults; a dash for what is off."""
    panel: str
    """What it shares with others, in words; its title if it shares nothing."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--markdown", action="store_true", help="the standard measures as the README's table, in Markdown"
    )


def run(given: argparse.Namespace) -> None:
    """Print the list."""
    if given.markdown:
        print(readme_table(rows()))
    else:
        shown = [(row.column, f"{row.title}{f' ({row.unit})' if row.unit else ''}", row.measure) for row in rows()]
        print_rows(Console(), ("column", "what it holds", "measure"), shown, left=(0, 1, 2))


def rows() -> list[ListedColumn]:
    """All columns, of either task, at the defaults."""
    from badger_sweeps.evaluation.measures import Measures
    from badger_sweeps.runs.run import STAIRCASE_COLUMNS
    from badger_sweeps.tasks.frequency import Frequency
    from badger_sweeps.training.experiment import Experiment
    from badger_sweeps.training.loop import metric_columns

    game, frequency = Experiment(device="cpu"), Experiment(device="cpu", task=Frequency())
    found = _rows({**metric_columns(game), **STAIRCASE_COLUMNS}, TRAINING, 1)
    for name, measure in Measures().by_name.items():
        found += _rows({**measure.columns(game), **measure.columns(frequency)}, name, measure.every)
    return found


def readme_table(listed: list[ListedColumn]) -> str:
    """The measures that are taken at the defaults, a row for each, in Markdown; columns of one panel together."""
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


def _rows(described: Mapping[str, Column], measure: str, every: int | None) -> list[ListedColumn]:
    cadence = "-" if every is None else str(every)
    found = []
    for column in described.values():
        name, title = _general(column)
        found.append(ListedColumn(name, title, column.unit, measure, cadence, column.panel or title))
    return list(dict.fromkeys(found))


def _general(column: Column) -> tuple[str, str]:
    """Name and title, with letters for the numbers of what there are several of."""
    if not column.per:
        return column.name, column.title
    letters, numbers, words = GENERAL[column.per]
    return f"{column.name.rpartition('/')[0]}/{letters}", re.sub(numbers, words, column.title)
