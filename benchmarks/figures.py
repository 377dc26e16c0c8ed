"""A measured number with its spread, and the rows of tables that figures stand in."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["lower", "higher"]
"""Which values of a figure are the better ones."""
Label = str | int
"""What says to what a row belongs: a size, a number of members."""


@dataclass(frozen=True)
class Figure:
    """A measured number.

    Attributes:
        value: the median of what was measured, or the only number.
        low: the first quartile of what was measured, or the lower end of an interval; None: measured once.
        high: the third quartile, or the upper end.
        better: which values are the better ones; None: neither, so that no run is better or worse by it.
    """

    value: float
    low: float | None = None
    high: float | None = None
    better: Better | None = None

    @classmethod
    def of(cls, samples: Sequence[float], better: Better | None = None) -> Figure:
        """The median of samples with its quartiles; a single sample has none."""
        if len(samples) < 2:
            return cls(float(samples[0]), better=better)
        low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(float(statistics.median(samples)), float(low), float(high), better)

    @property
    def spread(self) -> float | None:
        """The interquartile range, or the length of the interval, in the figure's unit."""
        return None if self.low is None or self.high is None else self.high - self.low

    def __mul__(self, factor: float) -> Figure:
        """The figure in another unit; `factor` is positive."""
        ends = (None if end is None else end * factor for end in (self.low, self.high))
        return Figure(self.value * factor, *ends, better=self.better)

    def __truediv__(self, divisor: float) -> Figure:
        """The figure in another unit; `divisor` is positive."""
        return self * (1 / divisor)

    def __str__(self) -> str:
        """The number with its quartiles: ``5.62 (5.5 to 5.71)``."""
        if self.low is None or self.high is None:
            return rounded(self.value)
        return f"{rounded(self.value)} ({rounded(self.low)} to {rounded(self.high)})"

    def stored(self) -> dict[str, Any]:
        """The figure as JSON has it; what is None is left out."""
        return {name: value for name, value in vars(self).items() if value is not None}


def rounded(value: float) -> str:
    """A number with three significant digits, and never in powers of ten."""
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        table: the table's name.
        labels: what the row is about. A row of another run with the same table and labels measured the same.
        figures: what was measured, by column.
    """

    table: str
    labels: Mapping[str, Label]
    figures: Mapping[str, Figure]

    @classmethod
    def of(cls, table: str, cells: Mapping[str, object]) -> Row:
        """Texts and whole numbers are labels; figures and other numbers are what was measured."""
        labels = {name: cell for name, cell in cells.items() if isinstance(cell, str | int)}
        figures = {
            name: cell if isinstance(cell, Figure) else Figure(float(cell))  # type: ignore[arg-type]
            for name, cell in cells.items()
            if name not in labels
        }
        return cls(table, labels, figures)

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Row:
        """The row from what `stored` gave."""
        figures = {name: Figure(**figure) for name, figure in stored["figures"].items()}
        return cls(stored["table"], stored["labels"], figures)

    @property
    def key(self) -> tuple[str, tuple[tuple[str, Label], ...]]:
        """Equal for rows that measured the same, in this run or another."""
        return self.table, tuple(self.labels.items())

    def stored(self) -> dict[str, Any]:
        """The row as JSON has it."""
        figures = {name: figure.stored() for name, figure in self.figures.items()}
        return {"table": self.table, "labels": dict(self.labels), "figures": figures}

    def has(self, labels: Mapping[str, Label]) -> bool:
        """Whether the row has all of these labels, and maybe others."""
        return labels.items() <= self.labels.items()

    def __str__(self) -> str:
        """The table and the labels: ``gradients, one core: size base, members 8``."""
        return f"{self.table}: {', '.join(f'{name} {label}' for name, label in self.labels.items())}"
