"""Plateaus of a loss curve: where they are, which level they belong to, how long they last."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from badger_sweeps.measures.staircase import Staircase

SHORTEST = 5
"""Blocks a plateau must last."""
RESTING = 0.3
"""A plateau's slope is below this share of the speed at which the loss comes to it and leaves it."""
MOST_POINTS = 1000
"""Points that a curve is segmented at; longer curves are averaged over several blocks."""


@dataclass(frozen=True)
class Plateau:
    """A stretch of iterations during which the loss rests.

    Attributes:
        start: its first iteration.
        end: the iteration after its last.
        level: the mean loss within.
        slope: the loss's change per iteration (Theil-Sen).
        staircase_level: the nearest level (D - k)/D of the staircase.
    """

    start: int
    end: int
    level: float
    slope: float
    staircase_level: float

    @property
    def duration(self) -> int:
        """In iterations."""
        return self.end - self.start


def find_plateaus(loss: ArrayLike, staircase: Staircase) -> list[Plateau]:
    """The plateaus of one member's loss, in order of time.

    1. Means over blocks (`Staircase.for_run`), which hold the sampling noise well below the gap between levels.
    2. Segmentation into constants: PELT (Killick 2012) with penalty 3 sigma^2 ln n, sigma from successive differences.
       Neighbours less than 0.25/D apart that are flat together are joined.
    3. A segment is a plateau if it lasts at least five blocks; the 80 % interval of its Theil-Sen slope, times its
       length, stays within +-0.25/D; and it rests: the same interval stays below 0.3 of the speed at which the
       curve comes to it and leaves it, taken over half a gap. Segmentation cuts a slow drift into steps that look
       flat one by one, but none of them is slower than its surroundings.

    On straight drifts of 3000 iterations with the sampling noise of 64 games (D = 4, 20) this finds a plateau in
    fewer than one run in ten; plateaus shorter than about ten blocks may be missed.

    Args:
        loss: the normalised error of every iteration, shape (iterations,); what follows NaN or infinity is not used.
        staircase: gives D and the block.

    Returns:
        None of them where there are fewer than five blocks.
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
        if segment.flat(staircase.tolerance) and segment.rests(gap=1 / staircase.parts):
            iterations = (segment.start * staircase.block, segment.end * staircase.block)
            nearest = float(staircase.nearest(segment.level))
            plateaus.append(Plateau(*iterations, segment.level, segment.slope / staircase.block, nearest))
    return plateaus


class _Segment:
    """Blocks start..end of a curve, with their mean and their Theil-Sen slope per block."""

    def __init__(self, means: NDArray[np.float64], start: int, end: int) -> None:
        self._means, self.start, self.end = means, start, end
        within = means[start:end]
        self.level = float(within.mean())
        self.slope = self._steepest = math.nan
        if len(within) >= SHORTEST:
            self.slope, _, low, high = map(float, scipy.stats.theilslopes(within, alpha=0.80))
            self._steepest = max(abs(low), abs(high))

    def flat(self, tolerance: float) -> bool:
        """Whether it is long enough to tell and changes by less than the tolerance from end to end."""
        return self._steepest * (self.end - self.start) <= tolerance

    def rests(self, gap: float) -> bool:
        """Whether it changes far more slowly than the curve does over the next half `gap` on either side.

        Along a drift the speed on both sides is the segment's own slope, however finely the drift was cut. Where
        the curve never goes that far, its speed over all there is counts.
        """
        sides = (self._means[: self.start][::-1], self._means[self.end :])
        speeds = [_speed(np.abs(side - self.level), gap / 2) for side in sides if len(side)]
        return all(self._steepest <= RESTING * speed for speed in speeds)

    def joined(self, after: _Segment) -> _Segment:
        """Both as one."""
        return _Segment(self._means, self.start, after.end)


def _speed(distance: NDArray[np.float64], goal: float) -> float:
    """Change per block until `distance` first exceeds `goal`, or until its end."""
    beyond = distance > goal
    last = int(beyond.argmax()) if beyond.any() else len(distance) - 1
    return float(distance[last]) / (last + 1)


def _join(segments: list[_Segment], tolerance: float) -> list[_Segment]:
    """Join neighbours that are less than the tolerance apart and flat together, until no two are.

    High levels are noisier than low ones and are cut too often; this mends it.
    """
    joined = segments[:1]
    for segment in segments[1:]:
        together = joined[-1].joined(segment)
        if abs(joined[-1].level - segment.level) < tolerance and together.flat(tolerance):
            joined[-1] = together
        else:
            joined.append(segment)
    return joined if len(joined) == len(segments) else _join(joined, tolerance)


def _cut(means: NDArray[np.float64], staircase: Staircase) -> list[tuple[int, int]]:
    """Cut block means into constants; gives (start, end) in blocks."""
    import ruptures  # takes a second, which no start of a run need wait for

    noise = float(np.median(np.abs(np.diff(means)))) / (0.6745 * math.sqrt(2))
    # At least a fiftieth of the tolerance, so that a noiseless curve is not cut at every point.
    penalty = 3 * max(noise, staircase.tolerance / 50) ** 2 * math.log(len(means))
    # The linear kernel is the squared error about the mean; this is `ruptures.Pelt(model="l2", jump=1)`, compiled.
    # Pieces may be short, so that the fall between two plateaus is cut out rather than added to one of them.
    search = ruptures.KernelCPD(kernel="linear", min_size=2)
    ends = [int(end) for end in search.fit(means[:, None]).predict(pen=penalty)]
    return list(zip([0, *ends[:-1]], ends, strict=True))
