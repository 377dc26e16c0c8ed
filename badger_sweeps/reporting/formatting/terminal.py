"""Tables on the terminal, which become lists where it is too narrow for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

NARROWEST_TABLE = 60
"""Characters below which nothing is printed as a table."""
UNBOUNDED = 10_000


def print_rows(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)
) -> None:
    """Print rows as a table, in which cells break between words alone; as a list where that does not fit.

    In the list a row is its first cell, and below it a line ``column: cell`` for each other one.

    Args:
        console: where to; it knows its width.
        columns: their names.
        rows: a text for each column.
        left: numbers of the columns that are aligned to the left; the others hold numbers.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if place in left else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    narrowest = Measurement.get(console, console.options.update_width(UNBOUNDED), table).minimum  # words unbroken
    if console.width < max(NARROWEST_TABLE, narrowest):
        _print_list(console, columns, rows)
    else:
        console.print(table)


def _print_list(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for first, *others in rows:
        console.print(Text(first, style="bold"))
        for name, cell in zip(columns[1:], others, strict=True):
            console.print(Text(f"  {name}: {cell}" if name else f"  {cell}"))
    console.print()
