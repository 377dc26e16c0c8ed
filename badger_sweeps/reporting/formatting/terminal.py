"""Tables on the terminal, which become lists where it is too narrow for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

NARROWEST_TABLE = 60
"""Characters below which nothing is printed as a table."""
GAP = 2
"""Characters between two columns."""


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
    words = [_longest_word([name, *(row[place] for row in rows)]) for place, name in enumerate(columns)]
    if console.width < max(NARROWEST_TABLE, sum(words) + GAP * (len(columns) - 1)):
        _print_list(console, columns, rows)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP // 2))
    for place, (name, width) in enumerate(zip(columns, words, strict=True)):
        table.add_column(Text(name), justify="left" if place in left else "right", min_width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_list(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for first, *others in rows:
        console.print(Text(first, style="bold"))
        for name, cell in zip(columns[1:], others, strict=True):
            console.print(Text(f"  {name}: {cell}" if name else f"  {cell}"))
    console.print()


def _longest_word(texts: Sequence[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=0)
