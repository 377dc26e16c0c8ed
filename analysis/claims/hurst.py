"""The document: on plateaus the Hurst exponents of the loss are very close to 0.5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from badger_sweeps.measures.dynamics.hurst import MIN_LENGTH, increments, on_stretches
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.reporting.inference.evidence import Finding, above, within
from badger_sweeps.reporting.plotting.chart import Chart, Level, Panel, groups
from badger_sweeps.reporting.reading.arms import Arm, Arms, Numbers

from ..shared import losses

CLAIM = "On plateaus the Hurst exponents of the loss are very close to 0.5: it changes at random, without memory."
REQUIRED_MEASURES = ()  # all it needs is measured during training
CLOSE = 0.1
"""The meaning of "very close": about 1.5 standard deviations (.06) of one estimate on 512 values of white noise."""
SHUFFLES = 5
"""Random orders of the values, whose exponents are averaged."""


class Exponents(NamedTuple):
    """Hurst exponents of one series: means over each seed's plateaus of at least 513 iterations above level 0.

    NaN for a seed that has no such plateau.
    """

    label: str
    levels: Numbers
    """DFA of the values."""
    increments: Numbers
    """DFA of the increments: 0.5 for a random walk, about 0 for independent values."""
    rescaled: Numbers
    """R/S of the values."""
    shuffled: Numbers
    """DFA of the values in random order, mean over `SHUFFLES`; NaN where it was not computed."""
    plateaus: int
    """Number of plateaus in all seeds."""


class HurstOnPlateausInfo(NamedTuple):
    """Hurst exponents of the training loss of every arm, and of the loss on fixed games (`evaluation`)."""

    exponents: dict[str, Exponents]
    arms: Arms
    learning_rate: float


def compute(arms: Arms) -> HurstOnPlateausInfo:
    """The exponents on all plateaus that are long enough."""
    found = {
        name: _exponents(arm, arm.every_iteration("loss"), losses.label(name), 1, SHUFFLES * (name == "badger"))
        for name, arm in arms.items()
    }
    fixed = arms["fixed_games"].curve("evaluation/loss")
    every = int(np.diff(fixed.x).max(initial=1))
    found["evaluation"] = _exponents(arms["fixed_games"], fixed.y, "loss on fixed games", every)
    return HurstOnPlateausInfo(found, arms, float(arms["badger"].run.config["optimizer.lr"]))


def findings(info: HurstOnPlateausInfo) -> list[Finding]:
    """The claim for the training loss; secondary, other series, exponents and the loss without the noise of batches."""
    low, high = 0.5 - CLOSE, 0.5 + CLOSE
    training, fixed, many = (info.exponents[name] for name in ("badger", "evaluation", "many"))
    return [
        within("the training loss has no memory on plateaus", training.levels, low, high, _unit(training)),
        above(
            "the training loss has more memory than the same values in random order",
            training.levels - training.shuffled, 0, "DFA of levels, difference",
        ).secondary(),
        within("the loss on fixed games has no memory", fixed.levels, low, high, _unit(fixed)).secondary(),
        within("the training loss with many numbers has none", many.levels, low, high, _unit(many)).secondary(),
        within(
            "the loss on fixed games is a random walk", fixed.increments, low, high, "DFA of increments"
        ).secondary(),
        within("the training loss has none by R/S either", training.rescaled, low, high, "R/S of levels").secondary(),
    ]  # fmt: skip


def draw(info: HurstOnPlateausInfo) -> Chart:
    """The figure: the loss, and the exponents of every series."""
    names = [series.label for series in info.exponents.values()]
    panels = []
    for title, values in (
        ("Levels (DFA)", [series.levels for series in info.exponents.values()]),
        ("Increments (DFA)", [series.increments for series in info.exponents.values()]),
    ):
        marks = [Level(0.5, "no memory"), Level(1.5, "random walk")] if "Levels" in title else [
            Level(0.5, "random walk"), Level(0.05, "white noise")
        ]  # fmt: skip
        panels.append(Panel(title, "", "Hurst exponent", [*marks, *groups(values, names)], ticks=names))
    return Chart(
        [losses.panel([info.arms["badger"], info.arms["fixed_games"]]), *panels],
        f"A dot for each seed: the mean over its plateaus above level 0 of at least {MIN_LENGTH + 1} iterations. The "
        f"first plateau is shorter; the learning rate is {info.learning_rate:g}, so that later ones are long enough. "
        "The training loss is that of a new batch at every iteration; the loss on fixed games has no noise of batches. "
        + "; ".join(f"{series.label}: {series.plateaus} plateaus" for series in info.exponents.values())
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
    """Start and end of the plateaus above level 0 that are long enough, as indices of a series.

    Args:
        outcome: of the seed.
        every: iterations from one value of the series to the next.
        length: of the series.
    """
    indices = [(-(-plateau.start // every), plateau.end // every) for plateau in outcome.unsolved_plateaus]
    return [(start, min(end, length)) for start, end in indices if min(end, length) - start > MIN_LENGTH]


def _of_seed(
    series: torch.Tensor, stretches: Sequence[tuple[int, int]], shuffles: int
) -> tuple[float, float, float, float]:
    if not stretches:
        return np.nan, np.nan, np.nan, np.nan
    levels = on_stretches(series, stretches)
    steps = on_stretches(increments(series[None])[0], [(start, end - 1) for start, end in stretches])
    generator = torch.Generator().manual_seed(0)
    reordered = [_in_random_order(series, stretches, generator) for _ in range(shuffles)]
    exponents = [float(on_stretches(values, stretches).dfa.mean()) for values in reordered]
    shuffled = float(np.mean(exponents)) if exponents else np.nan
    return float(levels.dfa.mean()), float(steps.dfa.mean()), float(levels.rs.mean()), shuffled


def _in_random_order(
    series: torch.Tensor, stretches: Sequence[tuple[int, int]], generator: torch.Generator
) -> torch.Tensor:
    shuffled = series.clone()
    for start, end in stretches:
        shuffled[start:end] = series[start:end][torch.randperm(end - start, generator=generator)]
    return shuffled


def _unit(exponents: Exponents) -> str:
    return f"DFA of levels on {exponents.plateaus} plateaus"
