"""A lower bound of a restricted mean, known while its members still train."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.escape import CONSECUTIVE
from badger_sweeps.measures.staircase import Staircase


class TimeBound:
    """The lower bound of the mean over members of min(T, budget), with T the time of `objectives.TimeBelow`.

    T is the first iteration of the first three consecutive blocks whose means lie below a threshold. A member for
    which they have not come counts at least the start of the first block with which they still may begin: that of the
    unfinished block, or of up to two finished ones before it that lie below; and the budget, once three blocks from
    there no longer fit into it. A member that diverged counts the budget.
    The bound therefore never falls, never exceeds what `objectives.per_seed` gives in the end, whatever happens, and
    is equal to it when the run is over.

    Args:
        threshold: the loss below which the three blocks lie (`objectives.TimeBelow.threshold`).
        seeds: the members.
        staircase: gives D and the block.
        budget: iterations at which times are censored, and after which the run ends.
    """

    def __init__(self, threshold: float, seeds: Sequence[int], staircase: Staircase, budget: int) -> None:
        self._threshold = threshold
        self._position = {seed: position for position, seed in enumerate(seeds)}
        self._block, self._budget = staircase.block, budget
        # Whole blocks are kept and not their sums, so that their means are rounded as `Staircase.block_means` does.
        self._loss = np.zeros((len(seeds), staircase.block))
        self._filled = self._blocks = 0
        self._below = np.zeros(len(seeds), dtype=np.int64)
        self._known = np.zeros(len(seeds), dtype=bool)
        self._least = self._earliest()

    def observe(self, seeds: Sequence[int], loss: NDArray[np.floating], diverged: NDArray[np.floating]) -> None:
        """Take in one iteration of the members still training: their losses, and 1 for those that diverged in it."""
        here = np.array([self._position[seed] for seed in seeds], dtype=np.intp)
        self._loss[here, self._filled] = loss
        ended = here[diverged > 0]
        self._least[ended], self._known[ended] = self._budget, True
        self._filled += 1
        if self._filled == self._block:
            self._close_block()

    def _close_block(self) -> None:
        self._blocks += 1
        self._below = np.where(self._loss.mean(axis=1) < self._threshold, self._below + 1, 0)
        self._least = np.where(self._known, self._least, self._earliest())
        self._known |= self._below >= CONSECUTIVE
        self._filled = 0

    def _earliest(self) -> NDArray[np.float64]:
        """The earliest iteration at which three such blocks may still begin, shape (members,)."""
        start = self._blocks - self._below
        fits = start + CONSECUTIVE <= self._budget // self._block
        return np.where(fits, start * self._block, self._budget).astype(float)

    @property
    def per_seed(self) -> NDArray[np.float64]:
        """The lower bound of each member's min(T, budget), shape (members,)."""
        return self._least.copy()

    @property
    def value(self) -> float:
        """The mean of `per_seed`: the lower bound of the restricted mean."""
        return float(self._least.mean())
