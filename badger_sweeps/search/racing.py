"""Seed racing: start a trial on a few seeds, and add seeds while it may still become the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from badger_sweeps.core.settings import Count, settings
from badger_sweeps.statistics.estimates import sign_flip


@settings
class Race:
    """Ends a trial on a part of its seeds when it is worse than the best complete trial (the incumbent).

    The trial's values are compared with those of the incumbent on the same seeds, in pairs, because a seed that is hard
    for one is hard for the other. After each stage but the last the race tests whether the trial is worse, by the
    one-sided sign-flip test at the significance level of this stage (`significance_levels`).

    Unlike `pruning.CensoredBound` a race can be wrong. Of the trials that are as good as their incumbents it ends at
    most (1 - confidence)/2, over all stages together. "As good" means that each difference is as likely to be above 0
    as to be below it by the same amount, which holds where two configurations give the same results; the test assumes
    it. The promise does not hold for a trial of equal mean that is mostly a little worse and seldom far better. Equal
    values, such as those of two seeds that have not escaped, count neither way. The significance
    levels add up, so the incumbent may change between stages; the promise is then about a trial that is as good as each
    of the incumbents. The incumbents are taken as given: one that was chosen as the best of many trials on these very
    seeds was in part lucky with them, and the race then ends more trials that are truly as good.

    With n pairs the smallest p is 2**-n: at a confidence of 0.95 no trial is ended on fewer than six seeds. (An
    e-process of the same differences, a test that may be evaluated after every seed, needs seven. Student's t needs
    two, and is wrong twice as often as it says on these times, which are multiples of blocks and censored at the
    budget.)

    Args:
        start: seeds of the first stage; each further stage doubles the number of seeds.
        confidence: 1 minus twice the share of trials as good as the incumbent that may be ended.
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
    def error_rate(self) -> float:
        """The share of trials as good as their incumbents that may be ended, over all stages."""
        return (1 - self.confidence) / 2

    def significance_levels(self, seeds: int) -> dict[int, float]:
        """The p-value at or below which each stage ends a trial, by the number of seeds that the trial then has.

        Together they are at most `error_rate`. They follow from the number of seeds alone, so they are fixed before the
        first stage. Each stage gets half of what the stages before it have left, or the smallest possible p where half
        is less; the last one gets the rest. A stage for whose smallest p too little is left has no level: the result is
        empty if that holds for all stages.
        """
        totals = list(accumulate(len(stage) for stage in self.stages(range(seeds))))[:-1]
        levels, left = {}, self.error_rate
        for pairs in totals:
            level = left if pairs == totals[-1] else max(left / 2, 0.5**pairs)
            if 0.5**pairs <= level <= left:
                levels[pairs] = level
                left -= level
        return levels

    def is_worse(self, values: ArrayLike, incumbent: ArrayLike, significance_level: float) -> bool:
        """Whether a trial is significantly worse than the incumbent.

        Args:
            values: of the trial, one for each seed.
            incumbent: the incumbent's values on the same seeds, in the same order.
            significance_level: the p-value at or below which the difference counts.
        """
        differences = np.asarray(values, dtype=float) - np.asarray(incumbent, dtype=float)
        possible = 0.5 ** len(differences) <= significance_level
        return possible and sign_flip(differences, "greater") <= significance_level
