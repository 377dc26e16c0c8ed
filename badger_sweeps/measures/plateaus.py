"""Plateaus of a loss curve: their first and last iterations, mean losses and slopes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from badger_sweeps.measures.staircase import Staircase

SHORTEST = 5
"""Blocks that a plateau lasts at least."""
MOST_SLOPE = 0.3
"""The largest slope of a plateau, as a share of the speed of the loss before and after it."""
MOST_POINTS = 1000
"""Points of a curve that is segmented; longer curves are averaged over several blocks."""


@dataclass(frozen=True)
class Plateau:
    """Consecutive iterations in which the loss hardly changes.

    Attributes:
        start: its first iteration.
        end: the iteration after its last.
        mean_loss: the mean loss on the plateau.
        slope: change of the loss per iteration (Theil-Sen).
        staircase_level: the nearest level (D - k)/D of the staircase.
    """

    start: int
    end: int
    mean_loss: float
    slope: float
    staircase_level: float

    @property
    def duration(self) -> int:
        """The length in iterations."""
        return self.end - self.start


AnyPlateau = TypeVar("AnyPlateau", bound=Plateau)


def unsolved(plateaus: Iterable[AnyPlateau]) -> tuple[AnyPlateau, ...]:
    """The plateaus above level 0."""
    return tuple(plateau for plateau in plateaus if plateau.staircase_level > 0)


def find_plateaus(loss: ArrayLike, staircase: Staircase) -> list[Plateau]:
    """The plateaus of one member's loss, in order of time.

    1. Means over blocks (`Staircase.for_run`), whose sampling noise is well below the gap between levels.
    2. Segmentation into constants: PELT (Killick 2012) with penalty 3 sigma^2 ln n, sigma from successive differences.
       Neighbours less than 0.25/D apart that are flat together are joined.
    3. A segment is a plateau if it lasts at least five blocks; the 80 % interval of its Theil-Sen slope, times its
       length, stays within +-0.25/D; and the same interval stays below 0.3 of the speed of the curve before and
       after it, taken over half a gap. Segmentation cuts a slow drift into steps that look flat one by one, but none
       of them is slower than its surroundings.

    Errors: on straight drifts of 3000 iterations with the sampling noise of 64 games (D = 4, 20) a plateau is found in
    fewer than one run in ten; plateaus shorter than about ten blocks may be missed.

    Args:
        loss: the normalised error of every iteration, shape (iterations,); used up to the first NaN or infinity.
        staircase: gives D and the block.

    Returns:
        An empty list for fewer than five blocks.
    """
    loss = np.asarray(loss, dtype=float)
    if not np.isfinite(loss).all():
        loss = loss[: int(np.isfinite(loss).argmin())]
    staircase = replace(staircase, block=staircase.block * max(1, math.ceil(len(loss) / staircase.block / MOST_POINTS)))
    means = staircase.block_means(loss)
    if len(means) < SHORTEST:
        return []
    segments = _join([_Segment(means, *bounds) for bounds in _cut(means, staircase)], staircase.tolerance)
    plateaus = []
    for segment in segments:
        if segment.flat(staircase.tolerance) and segment.slower_than_surroundings(gap=1 / staircase.parts):
            iterations = (segment.start * staircase.block, segment.end * staircase.block)
            nearest = float(staircase.nearest(segment.mean_loss))
            plateaus.append(Plateau(*iterations, segment.mean_loss, segment.slope / staircase.block, nearest))
    return plateaus


class _Segment:
    """Blocks start to end - 1 of a curve, with their mean and their Theil-Sen slope per block."""

    def __init__(self, means: NDArray[np.float64], start: int, end: int) -> None:
        self._means, self.start, self.end = means, start, end
        within = means[start:end]
        self.mean_loss = float(within.mean())
        self.slope = self._steepest = math.nan
        if len(within) >= SHORTEST:
            self.slope, _, low, high = map(float, scipy.stats.theilslopes(within, alpha=0.80))
            self._steepest = max(abs(low), abs(high))

    def flat(self, tolerance: float) -> bool:
        """Whether it has at least `SHORTEST` blocks and changes by less than the tolerance over its whole length."""
        return self._steepest * (self.end - self.start) <= tolerance

    def slower_than_surroundings(self, gap: float) -> bool:
        """Whether its slope is at most `MOST_SLOPE` of the speed of the curve over the next half `gap` on either side.

        On a drift the speed on both sides equals the slope of the segment, however short the segment is. Where the
        curve never changes by half a gap, its speed up to its end is taken.
        """
        sides = (self._means[: self.start][::-1], self._means[self.end :])
        speeds = [_speed(np.abs(side - self.mean_loss), gap / 2) for side in sides if len(side)]
        return all(self._steepest <= MOST_SLOPE * speed for speed in speeds)

    def joined(self, after: _Segment) -> _Segment:
        """The segment of both."""
        return _Segment(self._means, self.start, after.end)


def _speed(distance: NDArray[np.float64], goal: float) -> float:
    """The change per block until `distance` first exceeds `goal`, or until its end."""
    beyond = distance > goal
    last = int(beyond.argmax()) if beyond.any() else len(distance) - 1
    return float(distance[last]) / (last + 1)


def _join(segments: list[_Segment], tolerance: float) -> list[_Segment]:
    """Join neighbours that differ by less than the tolerance and are flat together, until there are no such two.

    High levels are noisier than low ones, so segmentation cuts them too often.
    """
    joined = segments[:1]
    for segment in segments[1:]:
        together = joined[-1].joined(segment)
        if abs(joined[-1].mean_loss - segment.mean_loss) < tolerance and together.flat(tolerance):
            joined[-1] = together
        else:
            joined.append(segment)
    return joined if len(joined) == len(segments) else _join(joined, tolerance)


def _cut(means: NDArray[np.float64], staircase: Staircase) -> list[tuple[int, int]]:
    """The segments (start, end), in blocks, of block means that are fitted by constants."""
    import ruptures  # takes a second to import, which runs need only at their end

    noise = float(np.median(np.abs(np.diff(means)))) / (0.6745 * math.sqrt(2))
    # At least a fiftieth of the tolerance, so that a noiseless curve is not cut at every point.
    penalty = 3 * max(noise, staircase.tolerance / 50) ** 2 * math.log(len(means))
    # The linear kernel is the squared error about the mean; this is `ruptures.Pelt(model="l2", jump=1)`, compiled.
    # Segments may be short, so that the fall between two plateaus is a segment and no part of a plateau.
    search = ruptures.KernelCPD(kernel="linear", min_size=2)
    ends = [int(end) for end in search.fit(means[:, None]).predict(pen=penalty)]
    return list(zip([0, *ends[:-1]], ends, strict=True))
