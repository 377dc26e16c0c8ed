"""Chance is exactly 1, in every loss, and the staircase's levels follow."""

from __future__ import annotations

import pytest
import torch
from scipy.integrate import quad

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.losses.base import Loss
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.tasks.guessing_game import GuessingGame

LOSSES = [MeanSquaredError(), MeanAbsoluteError()]
TASK = GuessingGame(dims=1)


def expectation(loss: Loss, guess: float, power: int = 1) -> float:
    """E error^power over U[-1, 1] targets, by quadrature."""

    def error(target: float) -> float:
        pair = (torch.tensor([value], dtype=torch.float64) for value in (guess, target))
        return float(loss.error(*pair, TASK)) ** power

    return quad(lambda target: error(target) / 2, -1, 1, points=[guess])[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_guessing_zero_costs_one(loss: Loss) -> None:
    assert expectation(loss, 0.0) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("guess", [-0.3, 0.2])
def test_no_other_constant_costs_less(loss: Loss, guess: float) -> None:
    assert expectation(loss, guess) > 1


@pytest.mark.parametrize(("loss", "variance"), [(LOSSES[0], 0.8), (LOSSES[1], 1 / 3)])
def test_variance_at_chance_is_the_closed_form(loss: Loss, variance: float) -> None:
    assert TASK.game_variance(loss.order) == pytest.approx(variance)
    assert expectation(loss, 0.0, power=2) - 1 == pytest.approx(variance, abs=1e-9)


@pytest.mark.parametrize(("loss", "equal_outputs"), [(LOSSES[0], 1 - 1 / 4), (LOSSES[1], 1 - 2 / 12)])
def test_all_outputs_equal_to_the_mean(loss: Loss, equal_outputs: float) -> None:
    """Under squares it costs 1 - 1/D, the level of one solved dimension; under absolute values 1 - 2/(3D).

    200,000 games: the standard error is below sqrt(0.8 / (4 * 200000)) = 0.001; four of them are allowed.
    """
    task = GuessingGame(dims=4)
    targets = task.draw(200_000, RandomBatches.of((0,), Purpose.TARGETS)).targets[0]
    guess = targets.mean(1, keepdim=True).expand_as(targets)
    assert float(loss.error(guess, targets, task).mean()) == pytest.approx(equal_outputs, abs=0.004)


def test_targets_are_uniform() -> None:
    """Kolmogorov-Smirnov at 100,000 draws: 1.95/sqrt(n) is exceeded with probability 0.001."""
    targets = GuessingGame(dims=5).draw(20_000, RandomBatches.of((1,), Purpose.TARGETS)).targets[0]
    assert targets.shape == (20_000, 5)
    ordered = targets.flatten().sort().values.double()
    uniform = (torch.arange(100_000) + 0.5) / 100_000 * 2 - 1
    assert float((ordered - uniform).abs().max()) / 2 < 1.95 / 100_000**0.5
