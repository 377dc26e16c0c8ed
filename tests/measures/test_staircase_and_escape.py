"""Levels, blocks, and when a level is left: after the fact and live."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from badger_sweeps.measures.escape import StaircaseTracker, escape_iteration, first_below, solved_iteration
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.tasks.guessing_game import GuessingGame

STAIRCASE = Staircase(parts=4, block=5)


def test_levels() -> None:
    assert STAIRCASE.levels.tolist() == [1, 0.75, 0.5, 0.25, 0]
    assert STAIRCASE.tolerance == 0.0625
    assert STAIRCASE.nearest([1.4, 0.9, 0.7, 0.3, -0.1]).tolist() == [1, 1, 0.75, 0.25, 0]
    assert np.isnan(STAIRCASE.nearest(np.nan))


@pytest.mark.parametrize(("dims", "games", "variance"), [(4, 64, 0.8), (20, 64, 0.8), (20, 64, 1 / 3), (10, 7, 0.8)])
def test_a_block_mean_is_three_deviations_from_the_next_level(dims: int, games: int, variance: float) -> None:
    staircase = Staircase.for_run(dims, games, variance / dims)
    deviation = (variance / (dims * games * staircase.block)) ** 0.5
    assert staircase.tolerance >= 3 * deviation
    assert norm.cdf(-staircase.tolerance / deviation) ** 3 < 2.6e-9


@pytest.mark.parametrize(
    ("dims", "games", "block"), [(20, 64, 36), (5, 64, 9), (100, 16, 720), (4, 64, 8), (4, 1000, 5)]
)
def test_block_lengths(dims: int, games: int, block: int) -> None:
    """ceil(144 * 0.8 * D/B), without a rounding error's extra iteration, and never below 5."""
    assert Staircase.for_run(dims, games, GuessingGame(dims=dims).game_variance(order=2)).block == block


def test_blocks_leave_out_what_is_left_over() -> None:
    assert STAIRCASE.block_means(np.arange(12)).tolist() == [2, 7]


def curve(*levels: float) -> np.ndarray:
    return np.repeat(levels, STAIRCASE.block)


@pytest.mark.parametrize(
    ("levels", "escaped"),
    [
        ((1, 1, 0.93, 0.93, 0.93), 10),
        ((1, 1, 0.94, 0.94, 0.94), None),  # above 1 - 0.0625
        ((1, 0.9, 0.9, 1, 0.9, 0.9, 0.9), 20),  # two in a row are not enough
        ((0.9, 0.9, 0.9), 0),  # never on a plateau at chance
        ((1, 1, 0.5, 0.5), None),  # the run ends before the third block
        ((1, np.nan, np.nan, np.nan), None),
        ((), None),
    ],
)
def test_escape(levels: tuple[float, ...], escaped: int | None) -> None:
    assert escape_iteration(curve(*levels), STAIRCASE) == escaped


def test_solved_is_the_lowest_level() -> None:
    assert solved_iteration(curve(1, 0.25, 0.07, 0.06, 0.06, 0.06), STAIRCASE) == 15
    assert solved_iteration(curve(1, 0.25, 0.07, 0.07, 0.07, 0.07), STAIRCASE) is None


@given(st.lists(st.sampled_from([1.1, 0.9, 0.7, 0.45, 0.2, 0.01]), max_size=12), st.integers(0, 4))
def test_the_live_tracker_agrees_with_the_rule(levels: list[float], left_over: int) -> None:
    """Index k is reached when the third block below the k-th level is complete."""
    loss = np.concatenate([curve(*levels), np.ones(left_over)]) if levels else np.ones(left_over)
    tracker = StaircaseTracker([5], STAIRCASE)
    index = np.array([tracker.observe([5], np.array([[value]]))[1][0, 0] for value in loss])
    for k in range(1, 5):
        left = first_below(STAIRCASE.block_means(loss), STAIRCASE.levels[k - 1] - STAIRCASE.tolerance, STAIRCASE.block)
        reached = np.flatnonzero(index >= k)
        assert (int(reached[0]) if len(reached) else None) == (None if left is None else left + 3 * STAIRCASE.block - 1)


def test_the_current_level_is_the_nearest_to_the_last_whole_block() -> None:
    tracker = StaircaseTracker([1, 2], STAIRCASE)
    levels = [
        tracker.observe([1, 2], np.array([pair]))[0][0].tolist()
        for pair in zip(curve(1, 0.52), curve(0.8, 0.1), strict=True)
    ]
    assert np.isnan(levels[3]).all()
    assert levels[4] == levels[8] == [1, 0.75]
    assert levels[9] == [0.5, 0]


def test_members_that_dropped_out_leave_the_others_alone() -> None:
    both, alone = StaircaseTracker([1, 2], STAIRCASE), StaircaseTracker([2], STAIRCASE)
    for step, loss in enumerate(curve(1, 0.7, 0.7, 0.7, 0.4)):
        seeds = [1, 2] if step < 7 else [2]
        level, index = both.observe(seeds, np.array([[1.0, loss]])[:, -len(seeds) :])
        expected = alone.observe([2], np.array([[loss]]))
        assert (level[0, -1], index[0, -1]) == (expected[0][0, 0], expected[1][0, 0]) or np.isnan(level[0, -1])
