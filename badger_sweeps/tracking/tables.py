"""Tables on the terminal, which become lists where it is too narrow for them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

NARROWEST_TABLE = 60
"""Characters below which nothing is printed as a table."""
BETWEEN = 3
"""Characters between the texts of two columns; one more stands on either side of a table."""


def print_rows(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)
) -> None:
    """Print rows as `table` shows them."""
    console.print(table(console.width, columns, rows, left))


def table(
    width: int,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[int] = (0,),
    styles: Sequence[StyleType] = (),
) -> RenderableType:
    """Rows as a table, in which cells break between words alone; as a list where that does not fit.

    In the list a row is its first cell, and below it a line ``column: cell`` for each other one.

    Args:
        width: of the terminal, in characters.
        columns: their names.
        rows: a text for each column.
        left: numbers of the columns that are aligned to the left; the others hold numbers.
        styles: of each row; none have none.
    """
    styles = styles or [""] * len(rows)
    texts = [[name, *(row[place] for row in rows)] for place, name in enumerate(columns)]
    available = width - BETWEEN * (len(columns) - 1) - 2
    widths = _widths(texts, available)
    if widths is None or width < NARROWEST_TABLE:
        return _list(width, columns, rows, styles)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for place, (name, column_width) in enumerate(zip(columns, widths, strict=True)):
        shown.add_column(Text(name), justify="left" if place in left else "right", width=column_width)
    for row, style in zip(rows, styles, strict=True):
        shown.add_row(*map(Text, row), style=style)
    return shown


def _widths(texts: Sequence[Sequence[str]], available: int) -> list[int] | None:
    """How wide each column is: as its longest text, and where that is too much, the widest ones shorter.

    No column is narrower than its longest word; None where that is still too much.
    """
    least = [max((len(word) for text in column for word in text.split()), default=0) for column in texts]
    widths = [max(map(len, column)) for column in texts]
    if sum(least) > available:
        return None
    while sum(widths) > available:
        _, widest = max((width, place) for place, width in enumerate(widths) if width > least[place])
        widths[widest] -= 1
    return widths


def _list(
    width: int, columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[StyleType]
) -> RenderableType:
    lines = []
    for (first, *others), style in zip(rows, styles, strict=True):
        lines.append(Text(first, style=style or "bold"))
        for name, cell in zip(columns[1:], others, strict=True):
            text = f"{name}: {cell}" if name else cell
            wrapped = textwrap.wrap(text, max(width, 20), initial_indent="  ", subsequent_indent="    ")
            lines += [Text(line, style=style) for line in wrapped]
    return Group(*lines, Text(""))
