"""The staircase a learner walks down when it solves one dimension after another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Staircase:
    """Levels (D - k)/D for k = 0..D solved parts, and the block of iterations that tells them apart.

    On the Guessing Game the parts are the dimensions: with k of them exact and the others at chance the normalised
    error is (D - k)/D, for squares and absolute values alike. Under squares the same holds for any k-dimensional
    subspace of the targets, so that at a level the errors of the dimensions may be spread over all of them; "all
    outputs equal to the targets' mean", at 1 - 1/D, is the best known case. Per-dimension errors tell these apart,
    levels do not. On the frequency task the parts are the frequencies.

    Attributes:
        parts: D, in how many equal parts the task can be solved.
        block: iterations per block mean; see `for_run`.
    """

    parts: int
    block: int

    @classmethod
    def for_run(cls, parts: int, games: int, game_variance: float) -> Staircase:
        """The staircase of a run with `games` games per iteration.

        One iteration's loss has sampling variance of at most v/B, v = `game_variance` of one game. A block of
        n >= 16 * 9 * v*D^2/B iterations brings the standard deviation of its mean down to a twelfth of the gap 1/D
        between levels: a third of the tolerance, so that three blocks in a row fall below it by chance with probability
        2.5e-9. Never below 5 iterations.
        """
        least = 144 * game_variance * parts**2 / games
        return cls(parts, max(5, math.ceil(least - 1e-9)))  # 36.00000001 is 36 and a rounding error

    @property
    def levels(self) -> NDArray[np.float64]:
        """All levels, from 1 (nothing solved) down to 0."""
        return np.arange(self.parts, -1, -1) / self.parts

    @property
    def tolerance(self) -> float:
        """A quarter of the gap between levels: what counts as the same level."""
        return 0.25 / self.parts

    def nearest(self, level: float | ArrayLike) -> NDArray[np.float64]:
        """The level nearest to each level; NaN for NaN."""
        unsolved = np.round(np.asarray(level, dtype=float) * self.parts)
        return np.asarray(np.clip(unsolved, 0, self.parts) / self.parts)

    def block_means(self, values: ArrayLike) -> NDArray[np.float64]:
        """Means over consecutive blocks of the first axis; what is left over at the end is not used."""
        values = np.asarray(values, dtype=float)
        blocks = len(values) // self.block
        whole = values[: blocks * self.block].reshape(blocks, self.block, *values.shape[1:])
        return np.asarray(whole.mean(axis=1))
