"""Plateaus of curves whose plateaus are known."""

from __future__ import annotations

import numpy as np
import pytest
import ruptures
from numpy.typing import NDArray

from badger_sweeps.measures.plateaus import find_plateaus
from badger_sweeps.measures.staircase import Staircase

CHANCE_VARIANCE = 0.8


def noisy_staircase(
    dims: int, games: int, on_level: int, rng: np.random.Generator, fall: int = 0
) -> NDArray[np.float64]:
    """Levels of `on_level` iterations each and `fall` iterations between them, with the sampling noise of `games`."""
    solved: list[float] = []
    for level in range(dims + 1):
        solved += [level] * on_level
        if level < dims:
            solved += np.linspace(level, level + 1, fall + 2)[1:-1].tolist()
    k = np.array(solved)
    return (dims - k) / dims + rng.normal(size=len(k)) * np.sqrt(CHANCE_VARIANCE * (dims - k) / (dims**2 * games))


@pytest.mark.parametrize(
    ("dims", "games", "on_level"), [(2, 64, 200), (4, 64, 300), (4, 100, 200), (5, 64, 400), (20, 64, 1200)]
)
@pytest.mark.parametrize("fall", [0, 30])
def test_every_level_of_a_noisy_staircase_is_found(dims: int, games: int, on_level: int, fall: int) -> None:
    staircase = Staircase.for_run(dims, games, CHANCE_VARIANCE / dims)
    for seed in range(5):
        plateaus = find_plateaus(noisy_staircase(dims, games, on_level, np.random.default_rng(seed), fall), staircase)
        assert [plateau.staircase_level for plateau in plateaus] == staircase.levels.tolist()
        for number, plateau in enumerate(plateaus):
            start = number * (on_level + fall)
            # A cut falls on a block's edge; with a slow fall its foot may be counted in.
            slack = 2 * staircase.block + fall
            assert abs(plateau.start - start) <= slack
            assert abs(plateau.end - (start + on_level)) <= slack
            assert abs(plateau.mean_loss - plateau.staircase_level) < staircase.tolerance
            assert abs(plateau.slope) * plateau.duration < staircase.tolerance


def test_a_staircase_without_noise() -> None:
    staircase = Staircase(parts=4, block=5)
    curve = np.repeat([1, 0.75, 0.5, 0.25, 0], 100)
    found = [
        (plateau.start, plateau.end, plateau.staircase_level, plateau.slope)
        for plateau in find_plateaus(curve, staircase)
    ]
    assert found == [(100 * k, 100 * k + 100, 1 - k / 4, 0) for k in range(5)]


SHAPES = {
    "line": lambda x: x,
    "fast first": lambda x: (1 - np.exp(-2 * x)) / (1 - np.exp(-2)),
    "fast last": lambda x: np.expm1(2 * x) / np.expm1(2),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dims", "games"), [(4, 64), (20, 64)])
def test_slow_drifts_have_no_plateaus(shape: str, dims: int, games: int) -> None:
    """24 drifts a case from 1 by 1/2 or 1 in 3000 iterations. The detector's own rate of false plateaus, 0.05 a run
    on straight drifts, was measured on 60 others; more than five in 24 would happen once in a thousand."""
    staircase = Staircase.for_run(dims, games, CHANCE_VARIANCE / dims)
    x = np.linspace(0, 1, 3000)
    found = 0
    for seed in range(12):
        for total in (0.5, 1.0):
            level = 1 - total * SHAPES[shape](x)
            noise = np.random.default_rng(seed).normal(size=3000) * np.sqrt(
                CHANCE_VARIANCE * level.clip(0) / (dims * games)
            )
            found += len(find_plateaus(level + noise, staircase))
    assert found <= 5


def test_neighbours_that_are_not_flat_together_stay_apart() -> None:
    """Steps of 0.05 are within the tolerance of 0.0625; a join of two of them is not flat."""
    levels = [1, 0.95, 0.9, 0.85, 0.8]
    curve = np.repeat(levels, 240) + np.random.default_rng(0).normal(size=1200) * 0.005
    plateaus = find_plateaus(curve, Staircase(parts=4, block=8))
    assert [(plateau.start, plateau.end) for plateau in plateaus] == [(240 * k, 240 * k + 240) for k in range(5)]


def test_a_drift_after_a_plateau_does_not_hide_it() -> None:
    rng = np.random.default_rng(0)
    level = np.concatenate([np.full(400, 0.75), np.linspace(0.75, 0.25, 1500), np.full(400, 0.25)])
    plateaus = find_plateaus(level + rng.normal(size=len(level)) * 0.03, Staircase(parts=4, block=8))
    assert [plateau.staircase_level for plateau in plateaus] == [0.75, 0.25]
    assert plateaus[0].start == 0
    # The drift leaves the plateau's tolerance of 0.0625 after 187 iterations, halfway through it when averaged.
    assert 320 <= plateaus[0].end <= 400 + 187


def test_noise_alone_is_one_plateau() -> None:
    curve = 1 + np.random.default_rng(0).normal(size=3000) * 0.06
    (plateau,) = find_plateaus(curve, Staircase(parts=4, block=8))
    assert (plateau.start, plateau.end, plateau.staircase_level) == (0, 3000, 1)


@pytest.mark.parametrize("length", [0, 7, 39])
def test_a_curve_that_is_too_short_has_no_plateaus(length: int) -> None:
    assert find_plateaus(np.ones(length), Staircase(parts=4, block=8)) == []


def test_what_follows_nan_is_not_used() -> None:
    curve = np.ones(800)
    curve[400:] = np.nan
    (plateau,) = find_plateaus(curve, Staircase(parts=4, block=8))
    assert plateau.end == 400


def test_long_runs_are_cut_at_coarser_blocks() -> None:
    curve = noisy_staircase(4, 64, 4000, np.random.default_rng(0))
    plateaus = find_plateaus(curve, Staircase(parts=4, block=8))
    assert [plateau.staircase_level for plateau in plateaus] == [1, 0.75, 0.5, 0.25, 0]


@pytest.mark.parametrize("penalty", [0.005, 0.02, 0.1])
def test_the_compiled_segmentation_is_pelt(penalty: float) -> None:
    """`find_plateaus` uses ruptures' KernelCPD for speed; with the linear kernel it is Pelt with squared errors."""
    curve = np.repeat([1, 0.75, 0.5, 0.25], 60) + np.random.default_rng(0).normal(size=240) * 0.03
    compiled = ruptures.KernelCPD(kernel="linear", min_size=2).fit(curve[:, None]).predict(pen=penalty)
    assert compiled == ruptures.Pelt(model="l2", min_size=2, jump=1).fit(curve).predict(pen=penalty)
