"""An arm of a study as arrays with a row for each seed, from which figures are computed."""

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
    """The values of one column over training."""

    x: Numbers
    """Iterations."""
    y: Numbers
    """Values: seeds by iterations, and by components for vectors; NaN if not measured or after the seed diverged."""


@dataclass(frozen=True)
class Arm:
    """One run of a study.

    Attributes:
        name: the arm's name.
        run: the run's files.
    """

    name: str
    run: Run

    @property
    def outcomes(self) -> tuple[SeedOutcome, ...]:
        """Each seed's outcome."""
        return self.run.summary.outcomes

    @property
    def seeds(self) -> list[int]:
        """The seeds, in the order of the rows of all arrays."""
        return [outcome.seed for outcome in self.outcomes]

    @property
    def dims(self) -> int:
        """The number of dimensions of the targets."""
        return int(self.run.config["task.dims"])

    @property
    def budget(self) -> int:
        """The run's number of iterations."""
        return self.run.summary.budget

    def times(self, name: ObjectiveName) -> Numbers:
        """An objective of each seed; times that were not reached count as the budget."""
        return np.asarray(per_seed(name, self.outcomes, self.budget))

    def every_iteration(self, column: str) -> Numbers:
        """A metric, seeds by iterations; NaN after a seed diverged."""
        wide = self.run.history.pivot(index="seed", columns="iteration", values=column)
        return wide.reindex(self.seeds).to_numpy(dtype=float)

    def blocks(self, column: str = "loss") -> Curve:
        """A metric in block means, at the middle of each block."""
        staircase = self.run.summary.staircase
        means = np.stack([staircase.block_means(row) for row in self.every_iteration(column)])
        middle = np.asarray((np.arange(means.shape[1]) + 0.5) * staircase.block, dtype=float)
        return Curve(middle, means)

    @property
    def measured(self) -> pd.DataFrame:
        """All measures, indexed by seed and iteration."""
        return self.run.all_measures

    def has(self, column: str) -> bool:
        """Whether a column has any measured value."""
        return column in self.measured and bool(self.measured[column].notna().any())

    def curve(self, column: str) -> Curve:
        """A measure at all iterations at which it was measured.

        Raises:
            MissingError: it was never measured.
        """
        if not self.has(column):
            raise MissingError(f"`{column}` was not measured in {self.name}")
        # pandas looks up single values a hundred times slower than a dictionary.
        known: Mapping[Any, Any] = self.measured[column].dropna().to_dict()
        iterations = sorted({iteration for _, iteration in known})
        values = [[known.get((seed, iteration)) for iteration in iterations] for seed in self.seeds]
        vectors = [value for row in values for value in row if value is not None and np.ndim(value)]
        if not vectors:
            return Curve(np.array(iterations, dtype=float), np.array(values, dtype=float))
        missing = np.full_like(np.asarray(vectors[0], dtype=float), np.nan)
        filled = [[missing if value is None else np.asarray(value, dtype=float) for value in row] for row in values]
        return Curve(np.array(iterations, dtype=float), np.array(filled))

    def at(self, column: str, iteration: float) -> Numbers:
        """A measure's values, one for each seed, at the measured iteration nearest to `iteration`."""
        curve = self.curve(column)
        return curve.y[:, np.abs(curve.x - iteration).argmin()]

    def first(self, column: str) -> Numbers:
        """A measure's first values, one for each seed."""
        return self.curve(column).y[:, 0]

    def last(self, column: str) -> Numbers:
        """A measure's last values, one for each seed."""
        return self.curve(column).y[:, -1]


Arms = Mapping[str, Arm]


def on_plateau(outcome: SeedOutcome, iterations: Numbers, level: float | None = None) -> NDArray[np.bool_]:
    """Whether a seed is on a plateau at each iteration: on one of `level`, or by default of any level above 0."""
    on = np.zeros(len(iterations), dtype=bool)
    for plateau in outcome.unsolved_plateaus:
        if level in (None, plateau.staircase_level):
            on |= (iterations >= plateau.start) & (iterations < plateau.end)
    return on


class MissingError(LookupError):
    """The runs lack values that a figure requires; the message is one line."""
