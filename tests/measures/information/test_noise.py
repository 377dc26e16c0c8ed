"""The noise floor: how much it adds, and what identical states share through it."""

from __future__ import annotations

import math

import pytest
import torch

from badger_sweeps.measures.information.binding import higher_order_information
from badger_sweeps.measures.information.ksg import pairwise as ksg_pairwise
from badger_sweeps.measures.information.mutual_information import pairwise
from badger_sweeps.measures.information.noise import NOISE, noise_entropy, saturation, with_noise_floor
from tests.measures.information.oracles import (
    BITS,
    assert_mean,
    equicorrelation,
    gaussian_entropy,
    no_warning,
    normal,
)


def read_twice(population: int, games: int, components: int, share: float = NOISE) -> torch.Tensor:
    states = normal(population, games, 1, components).expand(-1, -1, 2, -1)
    return with_noise_floor(states, normal(population, games, 2, components, seed=1), share)


def test_noise_is_a_share_of_each_components_own_variance() -> None:
    """Of 20 components of very different sizes; a variance of 20000 numbers has a relative standard error of 0.01."""
    size = torch.logspace(-6, 6, 20, dtype=torch.float64)
    states = normal(2, 20000, 1, 20) * size + size
    added = with_noise_floor(states, normal(2, 20000, 1, 20, seed=1), 0.04) - states
    share = added.var(dim=1) / states.var(dim=1)
    torch.testing.assert_close(share, torch.full_like(share, 0.04), rtol=0.05, atol=0)


def test_two_readings_of_one_number_are_correlated_as_declared() -> None:
    """1/(1 + s^2), which has 2.83 bits at s^2 = 0.01."""
    assert saturation() == pytest.approx(2.83, abs=0.005)
    for share in (0.01, 0.1, 1.0):
        rho = equicorrelation(2, 1 / (1 + share))
        information = 2 * gaussian_entropy(rho, [0]) - gaussian_entropy(rho, [0, 1])
        assert saturation(share) == pytest.approx(information, abs=1e-12)


@pytest.mark.parametrize(("components", "share"), [(1, 1.0), (4, 1.0), (4, 0.1), (2, 0.01), (8, 0.01)])
def test_identical_states_saturate(components: int, share: float) -> None:
    """Ranks of 1000 games blur what is finer than their steps: of 2.83 bits they lose 0.03 a component, and less where
    there is more noise. The exact value is reached as games grow (the next test)."""
    information = pairwise(read_twice(60, 1000, components, share))[:, 0] / components
    assert_mean(information, saturation(share), bias=0.04 * (saturation(share) / saturation()) ** 2)
    assert information.mean() < saturation(share) + 0.01


def test_what_ranks_lose_at_saturation_shrinks_with_games() -> None:
    lost = [saturation() - pairwise(read_twice(40, games, 4)).mean().item() / 4 for games in (300, 1000, 10000)]
    assert lost[0] > 2 * lost[1] > 4 * lost[2] > -0.004
    assert lost[2] < 0.008


def test_neighbours_see_the_same_saturation() -> None:
    """One component, where both estimators work; each within 0.04 bits."""
    states = read_twice(8, 1000, 1)
    assert_mean(ksg_pairwise(states)[:, 0], saturation(), bias=0.04)


def test_a_residual_of_noise_alone() -> None:
    """What is left of a reading when the number that is read is known."""
    share = 0.01
    joint = equicorrelation(2, 1 / math.sqrt(1 + share))
    known = gaussian_entropy(joint, [0, 1]) - gaussian_entropy(joint, [0])
    assert noise_entropy(1) == pytest.approx(known, abs=1e-12)
    assert noise_entropy(64, share) == pytest.approx(64 * known, abs=1e-9)


def test_the_residual_entropy_of_many_readings_is_that_of_the_noise() -> None:
    """Of n readings of one number the others give away all but s^2/(n - 1) of it: R lies above the floor by
    n/2 * log2(1 + 1/(n - 1 + s^2)), here 0.74 bits."""
    experts, share = 30, NOISE
    states = normal(60, 1000, 1, 1).expand(-1, -1, experts, -1)
    states = with_noise_floor(states, normal(60, 1000, experts, 1, seed=1))
    above = experts / 2 * math.log1p(1 / (experts - 1 + share)) * BITS
    found = higher_order_information(states).residual_entropy
    # Ranks blur: R is too high by up to a hundredth of the information that it lacks.
    lacking = experts * gaussian_entropy(equicorrelation(1, 0), [0]) - noise_entropy(experts)
    assert_mean(found, noise_entropy(experts) + above, bias=0.01 * lacking)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("games", [100, 1000, 1500])
def test_constants_stay_constant_whatever_their_rounding(dtype: torch.dtype, games: int) -> None:
    noise = normal(games, 1, 1).to(dtype)
    for value in [0, 0.1, 1e-30, 1e30, *normal(200).tolist()]:
        states = torch.full((games, 1, 1), value, dtype=dtype)
        torch.testing.assert_close(with_noise_floor(states, noise), states, rtol=0, atol=0)


def test_nan_stays_where_it_was() -> None:
    states = normal(2, 50, 3, 2)
    clean = with_noise_floor(states, normal(2, 50, 3, 2, seed=1))
    states[1, 4, 0, 1] = math.nan
    with no_warning():
        found = with_noise_floor(states, normal(2, 50, 3, 2, seed=1))
    assert found.isnan().nonzero()[:, [0, 2, 3]].unique(dim=0).tolist() == [[1, 0, 1]]
    kept = ~found.isnan()
    torch.testing.assert_close(found[kept], clean[kept], rtol=0, atol=0)


def test_the_same_noise_gives_the_same_reading() -> None:
    states, noise = normal(2, 3, 50, 3, 2), normal(2, 3, 50, 3, 2, seed=1)
    together = with_noise_floor(states, noise)
    torch.testing.assert_close(together[1, 2], with_noise_floor(states[1, 2], noise[1, 2]))
    single = with_noise_floor(states.float(), noise.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), together, rtol=1e-5, atol=1e-6)


def test_no_noise_is_no_change() -> None:
    states = normal(1, 50, 2, 2)
    torch.testing.assert_close(with_noise_floor(states, normal(1, 50, 2, 2, seed=1), 0.0), states, rtol=0, atol=0)


def test_readings_of_independent_states_are_independent() -> None:
    states = with_noise_floor(normal(200, 300, 2, 2), normal(200, 300, 2, 2, seed=1))
    assert_mean(pairwise(states)[:, 0], 0.0)
