"""The staircase: the levels of the loss at which some of the task's parts are solved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Staircase:
    """The levels (D - k)/D of the normalised error for k = 0..D solved parts, and the length of a block of iterations.

    On the Guessing Game the parts are the dimensions: with k of them exact and the others at chance the normalised
    error is (D - k)/D, for squared and absolute errors. Under squared errors the same holds for any k-dimensional
    subspace of the targets, so the error of a level may be spread over all dimensions; "all outputs equal to the
    targets' mean", at 1 - 1/D, is the best known case. Errors per dimension distinguish these cases, levels do not.
    On the frequency task the parts are the frequencies.

    Attributes:
        parts: D, the number of equal parts of the task.
        block: iterations per block; `for_run` makes blocks long enough to distinguish levels by their means.
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
        """A quarter of the gap between levels: losses that differ by less count as the same level."""
        return 0.25 / self.parts

    def nearest(self, loss: float | ArrayLike) -> NDArray[np.float64]:
        """The level of the staircase that is nearest to each loss; NaN for NaN."""
        unsolved = np.round(np.asarray(loss, dtype=float) * self.parts)
        return np.asarray(np.clip(unsolved, 0, self.parts) / self.parts)

    def block_means(self, values: ArrayLike) -> NDArray[np.float64]:
        """Means over consecutive blocks of the first axis; an incomplete block at the end is not used."""
        values = np.asarray(values, dtype=float)
        blocks = len(values) // self.block
        whole = values[: blocks * self.block].reshape(blocks, self.block, *values.shape[1:])
        return np.asarray(whole.mean(axis=1))
