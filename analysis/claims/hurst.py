"""The document: on plateaus the Hurst exponents of the loss are very close to 0.5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from badger_sweeps.measures.dynamics.hurst import LEAST, increments, on_stretches
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.reporting.inference.evidence import Finding, above, within
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers

from ..shared import losses

CLAIM = "On plateaus the Hurst exponents of the loss are very close to 0.5: it changes at random, without memory."
REQUIRED_MEASURES = ()  # what it looks at is measured while runs train
CLOSE = 0.1
"""What "very close" is taken to mean: about 1.5 standard deviations (.06) of one estimate on 512 values of white
noise."""


SHUFFLES = 5


class Exponents(NamedTuple):
    """Means over each seed's plateaus of at least 513 iterations above level 0; NaN for a seed that has none."""

    label: str
    levels: Numbers
    """DFA of the values."""
    increments: Numbers
    """DFA of their changes: 0.5 for a walk, about 0 for independent values."""
    rescaled: Numbers
    """R/S of the values."""
    shuffled: Numbers
    """DFA of the values in random order, mean over `SHUFFLES`; NaN where it was not asked for."""
    plateaus: int
    """How many there were."""


class HurstOnPlateaus(NamedTuple):
    """Of every arm, and of the loss on fixed games where it was measured at every iteration."""

    exponents: dict[str, Exponents]
    arms: Arms
    learning_rate: float


def compute(arms: Arms) -> HurstOnPlateaus:
    """Exponents of all plateaus that are long enough."""
    found = {
        name: _exponents(arm, arm.every_iteration("loss"), losses.in_words(name), 1, SHUFFLES * (name == "badger"))
        for name, arm in arms.items()
    }
    fixed = arms["fixed_games"].curve("evaluation/loss")
    every = int(np.diff(fixed.x).max(initial=1))
    found["evaluation"] = _exponents(arms["fixed_games"], fixed.y, "loss on fixed games", every)
    return HurstOnPlateaus(found, arms, float(arms["badger"].run.config["optimizer.lr"]))


def findings(info: HurstOnPlateaus) -> list[Finding]:
    """The claim, of the training loss; beside it the loss without the noise of batches, which may walk."""
    low, high = 0.5 - CLOSE, 0.5 + CLOSE
    own, fixed, many = (info.exponents[name] for name in ("badger", "evaluation", "many"))
    return [
        within("the training loss has no memory on plateaus", own.levels, low, high, _unit(own)),
        above(
            "the training loss has more memory than the same values in random order", own.levels - own.shuffled, 0,
            "DFA of levels, difference",
        ).secondary(),
        within("the loss on fixed games has no memory", fixed.levels, low, high, _unit(fixed)).secondary(),
        within("the training loss with many numbers has none", many.levels, low, high, _unit(many)).secondary(),
        within("the loss on fixed games walks at random", fixed.increments, low, high, "DFA of increments").secondary(),
        within("the training loss has none by R/S either", own.rescaled, low, high, "R/S of levels").secondary(),
    ]  # fmt: skip


def draw(info: HurstOnPlateaus) -> Chart:
    """Exponents by series, and where the plateaus are."""
    names = [own.label for own in info.exponents.values()]
    panels = []
    for title, values in (
        ("Levels (DFA)", [own.levels for own in info.exponents.values()]),
        ("Increments (DFA)", [own.increments for own in info.exponents.values()]),
    ):
        marks = [Level(0.5, "no memory"), Level(1.5, "random walk")] if "Levels" in title else [
            Level(0.5, "of a walk"), Level(0.05, "of white noise")
        ]  # fmt: skip
        panels.append(Panel(title, "", "Hurst exponent", [*marks, *groups(values, names)], ticks=names))
    return Chart(
        [losses.panel([info.arms["badger"], info.arms["fixed_games"]]), *panels],
        f"A dot for each seed: the mean over its plateaus above level 0 of at least {LEAST + 1} iterations, which the "
        f"plateau at chance does not last; the learning rate is {info.learning_rate:g}, so that others do. The "
        "training loss is that of a new batch at every iteration; the loss on fixed games has none of its noise. "
        + "; ".join(f"{own.label}: {own.plateaus} plateaus" for own in info.exponents.values())
        + ".",
        columns=3,
    )


def _exponents(arm: Arm, series: Numbers, label: str, every: int, shuffles: int = 0) -> Exponents:
    rows, count = [], 0
    for outcome, values in zip(arm.outcomes, series, strict=True):
        stretches = _stretches(outcome, every, len(values))
        count += len(stretches)
        rows.append(_of_seed(torch.from_numpy(values.astype(np.float32)), stretches, shuffles))
    levels, steps, rescaled, shuffled = np.array(rows, dtype=float).T
    return Exponents(label, levels, steps, rescaled, shuffled, count)


def _stretches(outcome: SeedOutcome, every: int, length: int) -> list[tuple[int, int]]:
    """The plateaus above level 0 that are long enough, in places of a series of every so-many-th iteration."""
    places = [(-(-plateau.start // every), plateau.end // every) for plateau in outcome.unsolved_plateaus]
    return [(start, min(end, length)) for start, end in places if min(end, length) - start > LEAST]


def _of_seed(
    series: torch.Tensor, stretches: Sequence[tuple[int, int]], shuffles: int
) -> tuple[float, float, float, float]:
    if not stretches:
        return np.nan, np.nan, np.nan, np.nan
    levels = on_stretches(series, stretches)
    steps = on_stretches(increments(series[None])[0], [(start, end - 1) for start, end in stretches])
    generator = torch.Generator().manual_seed(0)
    mixed = [_in_random_order(series, stretches, generator) for _ in range(shuffles)]
    random = [float(on_stretches(own, stretches).dfa.mean()) for own in mixed]
    shuffled = float(np.mean(random)) if random else np.nan
    return float(levels.dfa.mean()), float(steps.dfa.mean()), float(levels.rs.mean()), shuffled


def _in_random_order(
    series: torch.Tensor, stretches: Sequence[tuple[int, int]], generator: torch.Generator
) -> torch.Tensor:
    mixed = series.clone()
    for start, end in stretches:
        mixed[start:end] = series[start:end][torch.randperm(end - start, generator=generator)]
    return mixed


def _unit(own: Exponents) -> str:
    return f"DFA of levels on {own.plateaus} plateaus"
