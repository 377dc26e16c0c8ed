"""Which figures of a session are worse than those of the last one by more than their spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure, Row
from benchmarks.sessions import Session, newest_rows, on_the_same_kind

SINGLE = 0.2
"""Relative spread of a figure that was measured once, without quartiles: single measurements vary by that much."""


@dataclass(frozen=True)
class Fall:
    """A figure that became worse.

    Attributes:
        row: the row in which it stands now.
        figure: its column.
        before: the figure of the last session that has it.
        now: the figure of this session.
        session: the last session that has it.
    """

    row: Row
    figure: str
    before: Figure
    now: Figure
    session: Session

    def __str__(self) -> str:
        change = 100 * (self.now.value / self.before.value - 1) if self.before.value else float("nan")
        since = f"{self.before} on {self.session.date} at {self.session.commit}"
        return f"{self.row}: {self.figure} is {self.now}, {change:+.0f} % ({since})"


@dataclass(frozen=True)
class Comparison:
    """A session beside the earlier ones on the same kind of processor.

    Attributes:
        compared: the number of figures that both have and that can become better or worse.
        falls: those that became worse by more than their spread.
    """

    compared: int
    falls: tuple[Fall, ...]

    @property
    def lines(self) -> Sequence[str]:
        """What to print."""
        if not self.compared:
            return ["no earlier session on this kind of processor has these figures"]
        if not self.falls:
            return [f"{self.compared} figures compared; none fell by more than its spread"]
        return [f"{self.compared} figures compared; fell by more than their spread: {len(self.falls)}"] + [
            f"  {fall}" for fall in self.falls
        ]


def compare(now: Session, earlier: Iterable[Session]) -> Comparison:
    """Compare each row of a session with the newest earlier one of the same key.

    Args:
        now: the session to judge.
        earlier: the sessions before it, the oldest first; those on another kind of processor are left out.
    """
    before = newest_rows(on_the_same_kind(earlier, now.processor))
    compared, falls = 0, []
    for row in now.rows:
        if row.key not in before:
            continue
        old, session = before[row.key]
        for name, figure in row.figures.items():
            if figure.better is None or name not in old.figures:
                continue
            compared += 1
            if fell(old.figures[name], figure):
                falls.append(Fall(row, name, old.figures[name], figure, session))
    return Comparison(compared, tuple(falls))


def fell(before: Figure, now: Figure) -> bool:
    """Whether a figure is worse than before by more than the larger one of the two spreads.

    The spread of a figure without quartiles is `SINGLE` of its value. A figure without a better direction never falls.
    """
    if now.better is None:
        return False
    worse = now.value - before.value if now.better == "lower" else before.value - now.value
    return worse > max(_spread(before), _spread(now))


def _spread(figure: Figure) -> float:
    return SINGLE * abs(figure.value) if figure.spread is None else figure.spread
