"""When a level of the staircase is left: one rule, after the fact and live."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from badger_sweeps.measures.staircase import Staircase

CONSECUTIVE = 3
"""Blocks in a row that must lie below a level before it counts as left."""


def measurable(iterations: int, staircase: Staircase) -> bool:
    """Whether a run of so many iterations holds the three blocks without which no escape can be seen."""
    return iterations >= CONSECUTIVE * staircase.block


def first_below(means: ArrayLike, level: float, block: int) -> int | None:
    """First iteration of the first of three consecutive blocks whose means lie below `level`; None if there is none.

    Args:
        means: block means, shape (blocks,). NaN is never below anything.
        level: the bound.
        block: iterations per block.
    """
    below = np.asarray(means) < level
    if len(below) < CONSECUTIVE:
        return None
    runs = np.lib.stride_tricks.sliding_window_view(below, CONSECUTIVE).all(axis=1)
    return int(runs.argmax()) * block if runs.any() else None


def escape_iteration(loss: ArrayLike, staircase: Staircase) -> int | None:
    """When chance, the staircase's first level, was left: first of three consecutive blocks below 1 - 0.25/D.

    The level is exactly 1 by the loss's normalisation and is not estimated from the run. The rule is therefore the
    same for a member that never rests at chance (whose time is then short, not missing), for every configuration,
    and while the run is going.

    Args:
        loss: the normalised error of every iteration, shape (iterations,).
        staircase: gives D and the block.

    Returns:
        An iteration, or None if chance was not left within the run (censored).
    """
    return first_below(staircase.block_means(loss), 1 - staircase.tolerance, staircase.block)


def solved_iteration(loss: ArrayLike, staircase: Staircase) -> int | None:
    """When the lowest level, 0, was reached: first of three consecutive blocks below 0.25/D. None if it was not."""
    return first_below(staircase.block_means(loss), staircase.tolerance, staircase.block)


class StaircaseTracker:
    """Follows members down the staircase while they train, from their losses alone.

    Args:
        seeds: the members.
        staircase: gives D and the block.
    """

    def __init__(self, seeds: Sequence[int], staircase: Staircase) -> None:
        self._staircase = staircase
        self._position = {seed: position for position, seed in enumerate(seeds)}
        self._sum = np.zeros(len(seeds))
        self._filled = 0
        self._recent = np.full((CONSECUTIVE, len(seeds)), np.nan)
        self._rung = np.full(len(seeds), np.nan)
        self._index = np.zeros(len(seeds), dtype=np.int64)

    def observe(
        self, seeds: Sequence[int], loss: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Take in one iteration's losses of the members still training; gives their level and index.

        ``level`` is the level nearest to the latest whole block's mean (NaN before there is one). ``index`` is the
        number of levels left so far: k once three consecutive blocks lay below (D - k + 1)/D - 0.25/D, level
        after level. The first iteration with index 1 completes the blocks that `escape_iteration` names.
        """
        here = [self._position[seed] for seed in seeds]
        self._sum[here] += np.asarray(loss, dtype=float)
        self._filled += 1
        if self._filled == self._staircase.block:
            self._close_block()
        return self._rung[here].astype(np.float32), self._index[here].astype(np.float32)

    def _close_block(self) -> None:
        means = self._sum / self._staircase.block
        self._recent = np.vstack([self._recent[1:], means])
        self._rung = self._staircase.nearest(means)
        levels = self._staircase.levels[:-1]
        left = (self._recent[:, :, None] < levels - self._staircase.tolerance).all(axis=0)
        self._index = np.maximum(self._index, left.sum(axis=1))
        self._sum = np.zeros_like(self._sum)
        self._filled = 0
