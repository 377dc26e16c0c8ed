"""Escape from a level of the staircase, by one rule for finished runs and for runs in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from badger_sweeps.measures.staircase import Staircase

CONSECUTIVE = 3
"""Consecutive blocks whose means must lie below a level before a member has escaped it."""


def measurable(iterations: int, staircase: Staircase) -> bool:
    """Whether `iterations` are enough for three blocks, the fewest in which an escape can be detected."""
    return iterations >= CONSECUTIVE * staircase.block


def first_below(means: ArrayLike, level: float, block: int) -> int | None:
    """The first iteration of the first three consecutive blocks whose means lie below `level`; None if there are none.

    Args:
        means: block means, shape (blocks,). NaN is never below anything.
        level: upper bound of the means, not included.
        block: iterations per block.
    """
    below = np.asarray(means) < level
    if len(below) < CONSECUTIVE:
        return None
    runs = np.lib.stride_tricks.sliding_window_view(below, CONSECUTIVE).all(axis=1)
    return int(runs.argmax()) * block if runs.any() else None


def escape_threshold(staircase: Staircase) -> float:
    """The loss below which a member has escaped its first plateau, at chance: 1 - 0.25/D."""
    return 1 - staircase.tolerance


def solved_threshold(staircase: Staircase) -> float:
    """The loss below which a member has solved the task, level 0: 0.25/D."""
    return staircase.tolerance


def escape_iteration(loss: ArrayLike, staircase: Staircase) -> int | None:
    """The iteration at which a member escapes its first plateau: first of three consecutive blocks below 1 - 0.25/D.

    The first level is chance, which the loss's normalisation makes exactly 1; it is not estimated from the run. The
    rule is therefore the same for every configuration, while a run trains, and for a member without a plateau at
    chance, whose time is then short and not missing.

    Args:
        loss: the normalised error of every iteration, shape (iterations,).
        staircase: gives D and the block.

    Returns:
        An iteration, or None if the member did not escape within the run (censored).
    """
    return first_below(staircase.block_means(loss), escape_threshold(staircase), staircase.block)


def solved_iteration(loss: ArrayLike, staircase: Staircase) -> int | None:
    """The iteration at which a member solves the task (level 0): first of three consecutive blocks below 0.25/D.

    None if it does not within the run (censored). Arguments are those of `escape_iteration`.
    """
    return first_below(staircase.block_means(loss), solved_threshold(staircase), staircase.block)


class StaircaseTracker:
    """The current level of each member in training, and how many levels it has escaped, from its losses alone.

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
        self._level = np.full(len(seeds), np.nan)
        self._index = np.zeros(len(seeds), dtype=np.int64)

    def observe(
        self, seeds: Sequence[int], loss: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Add losses of the members still in training; gives their level and index after each iteration.

        ``level`` is the level nearest to the latest whole block's mean (NaN before there is one). ``index`` is the
        number of levels escaped so far: k once three consecutive blocks lay below (D - k + 1)/D - 0.25/D. The
        first iteration with index 1 is the last one of the three blocks that `escape_iteration` finds.

        Args:
            seeds: the members.
            loss: an array (iteration, seed).
        """
        here = [self._position[seed] for seed in seeds]
        losses = np.asarray(loss, dtype=float)
        level, index = np.empty(losses.shape, dtype=np.float32), np.empty(losses.shape, dtype=np.float32)
        first = 0
        while first < len(losses):
            end = min(len(losses), first + self._staircase.block - self._filled)
            total = self._sum[here]
            for each in losses[first:end]:  # in order, so that no sum depends on how iterations are divided into calls
                total += each
            self._sum[here] = total
            self._filled += end - first
            level[first:end], index[first:end] = self._level[here], self._index[here]
            if self._filled == self._staircase.block:
                self._close_block()
                level[end - 1], index[end - 1] = self._level[here], self._index[here]
            first = end
        return level, index

    def _close_block(self) -> None:
        means = self._sum / self._staircase.block
        self._recent = np.vstack([self._recent[1:], means])
        self._level = self._staircase.nearest(means)
        levels = self._staircase.levels[:-1]
        escaped = (self._recent[:, :, None] < levels - self._staircase.tolerance).all(axis=0)
        self._index = np.maximum(self._index, escaped.sum(axis=1))
        self._sum = np.zeros_like(self._sum)
        self._filled = 0
