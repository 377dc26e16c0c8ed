"""Seed racing: begin a trial on a few seeds, and add seeds while it may still be the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from badger_sweeps.core.settings import Count, settings
from badger_sweeps.measures.estimates import sign_flip


@settings
class Race:
    """Whether a trial on part of its seeds is worth the others.

    Its values are compared with the incumbent's on the same seeds, which both were trained on: pairs, since what makes
    a seed hard makes it hard for both. After each stage but the last the trial is out if it is worse by the one-sided
    sign-flip test, at a level of this look's own (`levels`).

    Unlike `pruning.CensoredBound` this can be wrong. A trial as good as those that it is compared with is ended in (1 -
    confidence)/2 of the cases at most, over all looks together: where two configurations give the same, each difference
    is as likely to be above 0 as below it by as much, and that is what the test assumes. It does not hold for a trial
    of equal mean that is mostly a little worse and seldom far better. Equal values, as of two seeds that have not
    escaped, count neither way. Levels add up, so the incumbent may change between looks; the promise is then about a
    trial as good as each of them. It is about an incumbent that is given. One that was picked as the best of many on
    these very seeds was lucky with them in part, and ends more of those that are as good in truth.

    n pairs can reach p = 2**-n at best: at a confidence of 0.95 no trial is ended on fewer than six seeds. (A test that
    may be looked at after every seed, an e-process of the same differences, needs seven. Student's t needs two, and is
    wrong twice as often as it says on these times, which are multiples of blocks and cut off at the budget.)

    Args:
        start: seeds of the first stage; each further stage doubles them.
        confidence: 1 - 2 times the share of trials as good as the incumbent that may be ended.
    """

    start: Annotated[Count, Field(ge=2)] = 6
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95

    def stages(self, seeds: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """The seeds that each stage adds."""
        begin, end = 0, self.start
        while begin < len(seeds):
            yield tuple(seeds[begin:end])
            begin, end = end, 2 * end

    @property
    def wrong(self) -> float:
        """The share of trials as good as their incumbents that may be ended, over all looks."""
        return (1 - self.confidence) / 2

    def levels(self, seeds: int) -> dict[int, float]:
        """The p-values at which a trial is ended, by the number of seeds that it then has; `wrong` at most, together.

        They follow from the numbers of seeds alone, and so are known before the first look. Each look has half of what
        those before it have left, or the least p there is, where half does not reach it; the last one has the rest. A
        look that what is left is too little for is none: empty where that is so of all.
        """
        totals = list(accumulate(len(stage) for stage in self.stages(range(seeds))))[:-1]
        levels, left = {}, self.wrong
        for pairs in totals:
            level = left if pairs == totals[-1] else max(left / 2, 0.5**pairs)
            if 0.5**pairs <= level <= left:
                levels[pairs] = level
                left -= level
        return levels

    def lost(self, own: ArrayLike, incumbent: ArrayLike, level: float) -> bool:
        """Whether the trial is worse than the incumbent, whose values on the same seeds are given in the same order."""
        differences = np.asarray(own, dtype=float) - np.asarray(incumbent, dtype=float)
        return 0.5 ** len(differences) <= level and sign_flip(differences, "greater") <= level
