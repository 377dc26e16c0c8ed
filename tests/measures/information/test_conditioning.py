"""What is left of states when the numbers that drive them are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.polynomial import Polynomial
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from badger_sweeps.measures.information.binding import higher_order_information
from badger_sweeps.measures.information.conditioning import residuals_given
from badger_sweeps.measures.information.copula import Copula, entropy_bias
from badger_sweeps.measures.information.noise import noise_entropy, with_noise_floor
from tests.measures.information.oracles import assert_mean, normal, one_warning, seeded

CASES = [(4, 1000, 5), (2, 1000, 7), (5, 1000, 4), (9, 1000, 2), (20, 1000, 1), (3, 60, 1), (2, 180, 5)]


@pytest.mark.parametrize(("numbers", "games", "degree"), CASES)
def test_residuals_are_those_of_scikit_learn(numbers: int, games: int, degree: int) -> None:
    given, samples = normal(2, games, numbers), normal(2, games, 3, seed=1)
    samples += given[..., :1] ** 2
    left, _, fitted = residuals_given(samples, given)
    for member in range(2):
        terms = PolynomialFeatures(degree, include_bias=False).fit_transform(given[member].numpy())
        assert fitted == terms.shape[1]
        fit = LinearRegression().fit(terms, samples[member].numpy())
        np.testing.assert_allclose(left[member], samples[member] - fit.predict(terms), atol=1e-9)


def test_a_cubic_of_the_given_numbers_leaves_nothing() -> None:
    given = normal(1, 500, 1)
    cubic = torch.from_numpy(Polynomial([1, -2, 0.5, 3])(given.numpy()))
    left, _, _ = residuals_given(torch.cat([cubic, cubic + 1e-3 * normal(1, 500, 1, seed=1)], dim=-1), given)
    assert left[..., 0].abs().max() == 0
    assert left[..., 1].std() == pytest.approx(1e-3, rel=0.2)


def test_constants_stay_constant_and_numbers_that_are_not_finite_give_nan() -> None:
    samples, given = normal(2, 100, 2), normal(2, 100, 1, seed=1)
    samples[0, :, 1] = 0.7
    given[1, 3] = math.nan
    left, _, _ = residuals_given(samples, given)
    assert left[0, :, 1].abs().max() == 0
    assert left[0, :, 0].isfinite().all()
    assert left[1].isnan().all()


def test_a_given_number_that_is_constant_changes_nothing_but_the_count() -> None:
    """Directions that are not there are filled with others, at the price of one game each."""
    samples, given = normal(1, 400, 2), normal(1, 400, 1, seed=1)
    constant = torch.cat([given, torch.full_like(given, 0.5)], dim=-1)
    left, _, fitted = residuals_given(samples, constant)
    assert (left.isfinite().all(), fitted) == (True, 35)
    assert float((left * given).sum()) == pytest.approx(0, abs=1e-6)


def test_the_bias_is_that_of_as_many_games_fewer() -> None:
    """100 games and the 9 terms of a cubic: the log-determinant of what is left has the bias of 91 games."""
    samples, given = normal(4000, 100, 5), normal(4000, 100, 2, seed=1)
    left, _, fitted = residuals_given(samples, given)
    assert fitted == 9
    log_det = torch.logdet(left.mT @ left / (100 - fitted - 1))
    assert_mean(log_det / 2, entropy_bias(5, 100 - fitted))


def test_independent_experts_stay_independent() -> None:
    copula = Copula.of(normal(200, 300, 4, 2), normal(200, 300, 3, seed=1))
    assert copula.games == 300 - 34
    each = copula.entropy(torch.arange(4)[:, None]).sum(dim=-1)
    assert_mean(each - copula.joint_entropy, 0.0)


def test_too_few_games_for_the_terms() -> None:
    with one_warning():
        assert Copula.of(normal(1, 8, 2, 1), normal(1, 8, 5)).joint_entropy.isnan().all()


def test_residuals_are_in_units_of_the_states() -> None:
    """x = t + noise of variance v: H(x|t) lies log2(v/(1 + v))/2 below H(x), and not at that of a standard normal."""
    given = normal(40, 1000, 1)
    states = given[:, :, None] + 0.1 * normal(40, 1000, 1, 1, seed=1)
    drop = Copula.of(states, given).joint_entropy - Copula.of(states).joint_entropy
    assert_mean(drop, math.log2(0.01 / 1.01) / 2, bias=0.002)


def test_the_noise_floor_is_what_is_left_of_copies_of_the_target() -> None:
    """Residual entropy given the target is that of the noise, 16 experts of 4 outputs."""
    given = normal(8, 1000, 4)
    copies = given[:, :, None].expand(-1, -1, 16, -1)
    outputs = with_noise_floor(copies, normal(8, 1000, 16, 4, seed=1))
    found = higher_order_information(outputs, given)
    # 64 variables, each with a deviation that is estimated to 1/sqrt(2*875) of itself, 0.034 bits; 0.28 together.
    assert_mean(found.residual_entropy, noise_entropy(64), bias=0.3)


@pytest.mark.parametrize("function", [torch.tanh, lambda t: t**3, lambda t: t - t**2, torch.sin])
def test_smooth_functions_of_the_targets_are_taken_out(function) -> None:
    targets = 2 * torch.rand(6, 1000, 4, generator=seeded()).double() - 1
    signal = function(targets)
    signal = (signal / signal.std(dim=1, keepdim=True))[:, :, None]
    outputs = signal + 0.1 * normal(6, 1000, 16, 4, seed=1)
    assert_mean(higher_order_information(outputs, targets).binding, 0.0, bias=0.03)
    assert higher_order_information(outputs).binding.mean() > 10
