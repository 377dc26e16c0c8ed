"""Seed racing: begin a trial on a few seeds, and add seeds while it may still be the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
import scipy  # which imports `scipy.stats`, half a second, where it is first used
from numpy.typing import ArrayLike
from pydantic import Field

from badger_sweeps.foundations.settings import Count, settings


@settings
class Race:
    """Whether a trial on part of its seeds is worth the others.

    Its values are compared with the incumbent's on the same seeds, which both were trained on: pairs, since what makes
    a seed hard makes it hard for both. The trial is out once the whole confidence interval of the mean difference
    (Student's t) lies above zero. Unlike `pruning.CensoredBound` this can be wrong, in (1 - confidence)/2 of
    the cases at each stage at most, if the differences are normal.

    Args:
        start: seeds of the first stage; each further stage doubles them.
        confidence: of the interval.
    """

    start: Annotated[Count, Field(ge=2)] = 3
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95

    def stages(self, seeds: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """The seeds that each stage adds."""
        begin, end = 0, self.start
        while begin < len(seeds):
            yield tuple(seeds[begin:end])
            begin, end = end, 2 * end

    def interval(self, differences: ArrayLike) -> tuple[float, float]:
        """Of the mean of paired differences; of no width where all are equal."""
        values = np.asarray(differences, dtype=float)
        half = scipy.stats.t.ppf((1 + self.confidence) / 2, len(values) - 1) * scipy.stats.sem(values)
        return float(values.mean() - half), float(values.mean() + half)

    def lost(self, own: ArrayLike, incumbent: ArrayLike) -> bool:
        """Whether the trial is worse than the incumbent, whose values on the same seeds are given in the same order."""
        return self.interval(np.asarray(own, dtype=float) - np.asarray(incumbent, dtype=float))[0] > 0
