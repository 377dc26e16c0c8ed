"""An arm of a study, as figures read it: arrays with a row for each seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badger_sweeps.measures.objectives import ObjectiveName, per_seed
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.reporting.reading.collection import Run

Numbers = NDArray[np.float64]


class Curve(NamedTuple):
    """One quantity over training."""

    x: Numbers
    """Iterations."""
    y: Numbers
    """A row for each seed; NaN where it was not measured or had diverged. A vector's components come last."""


@dataclass(frozen=True)
class Arm:
    """One run of a study.

    Attributes:
        name: the arm's.
        run: what it left.
    """

    name: str
    run: Run

    @property
    def outcomes(self) -> tuple[SeedOutcome, ...]:
        """What became of each seed."""
        return self.run.summary.outcomes

    @property
    def seeds(self) -> list[int]:
        """In the order of all rows."""
        return [outcome.seed for outcome in self.outcomes]

    @property
    def dims(self) -> int:
        """How many numbers are guessed."""
        return int(self.run.config["task.dims"])

    @property
    def budget(self) -> int:
        """Its iterations."""
        return self.run.summary.budget

    def times(self, name: ObjectiveName) -> Numbers:
        """An objective of each seed; what was not reached counts as the budget."""
        return np.asarray(per_seed(name, self.outcomes, self.budget))

    def every_iteration(self, column: str) -> Numbers:
        """A metric at every iteration, a row for each seed; NaN after it diverged."""
        wide = self.run.history.pivot(index="seed", columns="iteration", values=column)
        return wide.reindex(self.seeds).to_numpy(dtype=float)

    def blocks(self, column: str = "loss") -> Curve:
        """The same in block means, at the middle of each block."""
        staircase = self.run.summary.staircase
        means = np.stack([staircase.block_means(row) for row in self.every_iteration(column)])
        middle = np.asarray((np.arange(means.shape[1]) + 0.5) * staircase.block, dtype=float)
        return Curve(middle, means)

    @property
    def measured(self) -> pd.DataFrame:
        """Every measure, by seed and iteration."""
        return self.run.measured

    def has(self, column: str) -> bool:
        """Whether it was ever measured."""
        return column in self.measured and bool(self.measured[column].notna().any())

    def curve(self, column: str) -> Curve:
        """A measure wherever it was measured.

        Raises:
            MissingError: it never was.
        """
        if not self.has(column):
            raise MissingError(f"`{column}` was not measured in {self.name}")
        known = self.measured[column].dropna()
        iterations = sorted(known.index.get_level_values("iteration").unique())
        values = [[_value(known, seed, iteration) for iteration in iterations] for seed in self.seeds]
        vectors = [own for row in values for own in row if own is not None and np.ndim(own)]
        if not vectors:
            return Curve(np.array(iterations, dtype=float), np.array(values, dtype=float))
        missing = np.full_like(np.asarray(vectors[0], dtype=float), np.nan)
        filled = [[missing if own is None else np.asarray(own, dtype=float) for own in row] for row in values]
        return Curve(np.array(iterations, dtype=float), np.array(filled))

    def at(self, column: str, iteration: float) -> Numbers:
        """A measure where it was measured next to an iteration."""
        curve = self.curve(column)
        return curve.y[:, np.abs(curve.x - iteration).argmin()]

    def first(self, column: str) -> Numbers:
        """A measure the first time."""
        return self.curve(column).y[:, 0]

    def last(self, column: str) -> Numbers:
        """A measure the last time."""
        return self.curve(column).y[:, -1]


Arms = Mapping[str, Arm]


def on_plateau(outcome: SeedOutcome, iterations: Numbers, level: float | None = None) -> NDArray[np.bool_]:
    """Whether a seed is on a plateau at these iterations: on one of this level, or of any above 0."""
    found = np.zeros(len(iterations), dtype=bool)
    for plateau in outcome.unsolved_plateaus:
        if level in (None, plateau.staircase_level):
            found |= (iterations >= plateau.start) & (iterations < plateau.end)
    return found


class MissingError(LookupError):
    """A figure needs what the runs do not have; the message is one line."""


def _value(known: pd.Series, seed: int, iteration: int) -> Any:
    try:
        return known.loc[(seed, iteration)]
    except KeyError:
        return None
