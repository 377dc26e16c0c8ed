"""Pairwise mutual information where it is known, by how much it errs, and what it must not depend on."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import polygamma
from sklearn.feature_selection import mutual_info_regression
from torch import Tensor

from badger_sweeps.measures.information.copula import Copula
from badger_sweeps.measures.information.mutual_information import _pairwise, against_permutations, pairs, pairwise
from badger_sweeps.measures.information.noise import saturation, with_noise_floor
from tests.measures.information.oracles import (
    BITS,
    assert_mean,
    assert_spread,
    bits_of_correlation,
    correlated_pair,
    equicorrelated,
    exactly,
    gaussian,
    gaussian_entropy,
    no_warning,
    normal,
    one_warning,
    random_covariance,
    seeded,
)


def spread(dims: int, games: int, rho: float, dependent: int) -> float:
    """The standard deviation of an estimate from Gaussian samples, in bits.

    What is shared brings rho/sqrt(N) nats a dimension, by the delta method. What is not makes ln|S_x||S_y|/|S_xy|/2 a
    sum of halved logarithms of beta variables, with variances that are differences of trigammas.
    """
    k = torch.arange(1, dims + 1).numpy()
    null = (polygamma(1, (games - dims - k) / 2) - polygamma(1, (games - k) / 2)).sum() / 4
    return math.sqrt(dependent * rho**2 / games + null) * BITS


def test_pairs_are_in_the_order_of_their_columns() -> None:
    assert pairs(4).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert pairs(1).shape == (0, 2)


def test_a_correlation_of_06_is_a_third_of_a_bit() -> None:
    found = _pairwise(exactly(torch.tensor([[1, 0.6], [0.6, 1]]).double(), 2))
    assert found.item() == pytest.approx(0.3219, abs=5e-5)


@pytest.mark.parametrize(("experts", "components"), [(2, 1), (3, 2), (4, 2)])
def test_of_a_covariance(experts: int, components: int) -> None:
    """Against entropies by scipy."""
    covariance = random_covariance(experts * components, seed=5)
    expected = []
    for i, j in pairs(experts).tolist():
        x, y = (list(range(one * components, (one + 1) * components)) for one in (i, j))
        entropies = [gaussian_entropy(covariance, variables) for variables in (x, y, x + y)]
        expected.append(entropies[0] + entropies[1] - entropies[2])
    assert _pairwise(exactly(covariance, experts, components))[0].tolist() == pytest.approx(expected, abs=1e-8)


TABLE = [(4, 300, 400), (8, 300, 400), (8, 1000, 200), (32, 100, 300), (32, 300, 60), (32, 1000, 40)]


@pytest.mark.parametrize(("dims", "games", "draws"), TABLE)
def test_two_dimensions_of_a_correlation_and_the_rest_noise(dims: int, games: int, draws: int) -> None:
    """0.644 bits whatever the number of dimensions and games; ranks lose up to 0.01 of it at 300 games or fewer."""
    found = pairwise(correlated_pair(0.6, draws, games, dims, 2))[:, 0]
    assert_mean(found, 2 * bits_of_correlation(0.6), bias=0.01 if games <= 300 else 0.005)
    # With 64 variables in 100 games the two parts of the spread are not small, and do not just add: 10 %.
    assert_spread(found, spread(dims, games, 0.6, 2), share=0.1)


@pytest.mark.parametrize(("dims", "games", "draws"), [(8, 1000, 100), (4, 300, 200), (32, 1000, 30)])
def test_independent_experts_share_nothing(dims: int, games: int, draws: int) -> None:
    found = pairwise(normal(draws, games, 2, dims))[:, 0]
    assert_mean(found, 0.0)
    assert_spread(found, spread(dims, games, 0, 0))


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(("dims", "games"), [(1, 1000), (8, 1000), (4, 300)])
def test_dependence_of_every_strength(dims: int, games: int, rho: float) -> None:
    """In all dimensions. Ranks blur strong dependence: per dimension at 0.99 they lose 0.03 of 2.83 bits at 1000 games
    and 0.08 at 300, at 0.6 a tenth of that."""
    truth = bits_of_correlation(rho)
    found = pairwise(correlated_pair(rho, 100, games, dims, dims))[:, 0] / dims
    assert_mean(found, truth, bias=0.012 * truth * 1000 / games)


def test_it_is_blind_to_what_is_not_monotone() -> None:
    """y = x^2 + 0.3 e, of which neighbours see 1.6 bits (test_ksg). Scores are uncorrelated: about 0.001 bits are left,
    because their correlation varies more than that of independent ones, whose bias is taken off."""
    x = normal(200, 1000, 1, 1)
    found = pairwise(torch.cat([x, x**2 + 0.3 * normal(200, 1000, 1, 1, seed=1)], dim=2))[:, 0]
    assert abs(found.mean().item()) < 0.0015


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_it_agrees_with_neighbours_on_scalars(scale: float) -> None:
    """scikit-learn's estimator, whose own standard deviation is 0.04 bits at 1000 games."""
    states = correlated_pair(0.8, 20, 1000, 1, 1) * scale
    theirs = torch.tensor(
        [
            mutual_info_regression(x[:, :, 0].numpy()[:, :1], x[:, 1, 0].numpy(), n_neighbors=4, random_state=0)[0]
            for x in states
        ]
    )
    assert_mean(pairwise(states)[:, 0] - theirs * BITS, 0.0, bias=0.01)


@given(seed=st.integers(0, 1000), experts=st.integers(2, 5), components=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_relabelling_experts_relabels_pairs(seed: int, experts: int, components: int) -> None:
    states = normal(2, 60, experts, components, seed=seed)
    states[:, :, 1] += states[:, :, 0]
    order = torch.randperm(experts, generator=seeded(seed))
    found, relabelled = pairwise(states), pairwise(states[:, :, order])
    place = {tuple(sorted(pair)): number for number, pair in enumerate(pairs(experts).tolist())}
    moved = [place[tuple(sorted((order[i].item(), order[j].item())))] for i, j in pairs(experts).tolist()]
    torch.testing.assert_close(relabelled, found[:, moved], rtol=0, atol=1e-10)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_monotone_maps_of_components_change_nothing(seed: int) -> None:
    states, targets = normal(1, 80, 3, 2, seed=seed), normal(1, 80, 2, seed=seed + 1)
    states[..., 1:] += targets[:, :, None, :1] + states[:, :, :1, :1]
    mapped = torch.stack([states[..., 0].exp(), -(states[..., 1] ** 3)], dim=-1)
    torch.testing.assert_close(pairwise(mapped), pairwise(states), rtol=0, atol=1e-10)


def test_the_order_of_components_changes_nothing() -> None:
    states = equicorrelated(0.5, 2, 100, 3, 4)
    torch.testing.assert_close(pairwise(states.flip(-1)), pairwise(states), rtol=0, atol=1e-10)


def test_invertible_linear_maps_of_experts_change_little() -> None:
    """Nothing for the truth; turned components have other ranks, which moves an estimate by less than its spread."""
    states = equicorrelated(0.6, 40, 1000, 2, 4)
    turns = [torch.linalg.qr(normal(4, 4, seed=seed))[0] for seed in (3, 4)]
    mapped = torch.stack([states[:, :, expert] @ turns[expert] for expert in (0, 1)], dim=2)
    change = (pairwise(mapped) - pairwise(states))[:, 0]
    assert_mean(change, 0.0, bias=0.01)
    assert change.std() < spread(4, 1000, 0.6, 4)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_a_noisier_copy_shares_less(rho: float) -> None:
    """Data processing: x -> y -> y + noise. Each estimate is within its spread of closed forms that fall."""
    x = correlated_pair(rho, 60, 1000, 2, 2)
    information = []
    for noise in (0.0, 0.5, 1.0, 2.0):
        noisy = x.clone()
        noisy[:, :, 1] += noise * normal(60, 1000, 2, seed=9)
        found = pairwise(noisy)[:, 0]
        assert_mean(found, 2 * bits_of_correlation(rho / math.sqrt(1 + noise**2)), bias=0.02)
        information.append(found)
    for more, less in itertools.pairwise(information):
        assert (more > less).float().mean() > 0.99


def test_some_of_the_components_share_less() -> None:
    states = correlated_pair(0.6, 40, 1000, 4, 4)
    information = [pairwise(states[..., :kept])[:, 0] for kept in (1, 2, 3, 4)]
    for less, more in itertools.pairwise(information):
        assert (more > less).all()


@pytest.mark.parametrize("noise", [1.0, 0.1, 0.01])
def test_experts_that_know_the_target_share_nothing_given_it(noise: float) -> None:
    """Both are the target plus private noise: rho = 1/(1 + s) in each dimension, 0 given the target."""
    targets = normal(60, 1000, 4)
    states = targets[:, :, None] + math.sqrt(noise) * normal(60, 1000, 2, 4, seed=1)
    truth = 4 * bits_of_correlation(1 / (1 + noise))
    assert_mean(pairwise(states)[:, 0], truth, bias=0.012 * truth)
    # The rest of what ranks blur is common to both: 0.001 bits of 11 at s = 0.01.
    assert_mean(pairwise(states, targets)[:, 0], 0.0, bias=0.003)


def test_what_is_shared_beyond_the_target_is_left() -> None:
    """x = t + a, y = t + b, with a and b correlated by 0.6."""
    targets = normal(100, 1000, 2)
    states = targets[:, :, None] + correlated_pair(0.6, 100, 1000, 2, 2, seed=1)
    found = pairwise(states, targets)[:, 0]
    assert_mean(found, 2 * bits_of_correlation(0.6), bias=0.01)


def test_conditions_can_bring_dependence_about() -> None:
    """x and y independent, z = x + y + noise of variance 1: rho given z is -1/(1 + 1)."""
    states = normal(100, 1000, 2, 1)
    sums = states.sum(dim=2) + normal(100, 1000, 1, seed=1)
    assert_mean(pairwise(states)[:, 0], 0.0)
    assert_mean(pairwise(states, sums)[:, 0], bits_of_correlation(-0.5), bias=0.005)


def test_conditions_that_have_nothing_to_do_with_it_change_nothing() -> None:
    states = correlated_pair(0.6, 60, 1000, 2, 2)
    found = pairwise(states, normal(60, 1000, 4, seed=1))[:, 0]
    assert_mean(found, 2 * bits_of_correlation(0.6), bias=0.01)


def test_experts_that_know_a_uniform_target_share_nothing_given_it() -> None:
    targets = 2 * torch.rand(20, 1000, 4, generator=seeded()).double() - 1
    states = targets[:, :, None] + math.sqrt(0.1 / 3) * normal(20, 1000, 2, 4, seed=1)
    assert_mean(pairwise(states, targets)[:, 0], 0.0, bias=0.003)


def test_a_population_is_its_members_one_by_one() -> None:
    states, targets = equicorrelated(0.5, 3, 100, 4, 2), normal(3, 100, 2)
    for conditions in (None, targets):
        together = pairwise(states, conditions)
        for member in range(3):
            alone = pairwise(states[member : member + 1], None if conditions is None else targets[member : member + 1])
            torch.testing.assert_close(together[member], alone[0], rtol=0, atol=1e-12)


def test_float32_and_float64_agree_to_the_bit() -> None:
    """Both have the same ranks, unless rounding makes ties."""
    states, targets = equicorrelated(0.5, 2, 300, 3, 2).float(), normal(2, 300, 2).float()
    found = pairwise(states)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, pairwise(states.double()), rtol=0, atol=0)
    # Residuals are rounded, which may swap two neighbours in rank.
    given = pairwise(states, targets)
    torch.testing.assert_close(given, pairwise(states.double(), targets.double()), rtol=0, atol=1e-3)


def test_too_few_games() -> None:
    with one_warning():
        assert pairwise(normal(2, 9, 3, 4)).isnan().all()
    with no_warning():
        assert pairwise(normal(2, 10, 3, 4)).isfinite().all()
    with one_warning():
        assert pairwise(normal(2, 10, 3, 4), normal(2, 10, 1)).isnan().all()


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_only_pairs_with_an_expert_that_cannot_be_measured_are_nan(value: float | None) -> None:
    states = normal(3, 100, 4, 2)
    clean = pairwise(states)
    if value is None:
        states[1, :, 2, 0] = 0.3
    else:
        states[1, 7, 2, 0] = value
    with one_warning():
        found = pairwise(states)
    unusable = torch.zeros(3, 6, dtype=torch.bool)
    unusable[1] = (pairs(4) == 2).any(dim=1)
    torch.testing.assert_close(found.isnan(), unusable)
    torch.testing.assert_close(found[~unusable], clean[~unusable], rtol=0, atol=1e-12)


def test_conditions_that_are_not_finite() -> None:
    targets = normal(3, 100, 2)
    targets[2, 0, 0] = math.nan
    with one_warning():
        assert pairwise(normal(3, 100, 3, 2), targets).isnan().all(dim=1).tolist() == [False, False, True]


def test_identical_states_are_nan_without_a_noise_floor_and_saturate_with_one() -> None:
    states = normal(1, 1000, 1, 2).expand(-1, -1, 3, -1)
    with one_warning():
        assert pairwise(states).isnan().all()
    with no_warning():
        read = pairwise(with_noise_floor(states, normal(1, 1000, 3, 2, seed=1))) / 2
    # Their ranks lose 0.03 (test_noise); the spread is 0.025 for two components.
    assert (read - (saturation() - 0.03)).abs().max() < 4 * 0.025


def test_no_pairs() -> None:
    with no_warning():
        assert pairwise(normal(2, 50, 1, 2)).shape == (2, 0)
        assert pairwise(normal(0, 50, 3, 2)).shape == (0, 3)
        assert against_permutations(normal(2, 50, 1, 2), 5, seeded()).z.shape == (2, 0)


def test_the_null_of_independent_experts() -> None:
    """90 pairs of 30 members. Values are as if drawn from their null: z has mean 0 and standard deviation 1, within
    four standard errors (and what 100 permutations leave of the null's own moments)."""
    found = against_permutations(normal(30, 200, 3, 2), 100, seeded())
    torch.testing.assert_close(found.value, pairwise(normal(30, 200, 3, 2)), rtol=0, atol=1e-12)
    draws = found.z.numel()
    assert abs(found.z.mean().item()) < 4 * math.sqrt(1 / draws + 1 / 100 / 3)
    assert found.z.std().item() == pytest.approx(1, abs=4 * math.sqrt(1 / (2 * draws) + 1 / 200) * 1.5)
    null = spread(2, 200, 0, 0)
    assert found.null_mean.abs().max() < 5 * null / math.sqrt(100)
    assert found.null_sd.mean().item() == pytest.approx(null, rel=0.1)


def test_the_null_does_not_see_dependence() -> None:
    """Its mean and spread are those of independent experts; the value is far above."""
    found = against_permutations(correlated_pair(0.6, 5, 300, 2, 2), 100, seeded())
    null = spread(2, 300, 0, 0)
    assert found.null_mean.abs().max() < 5 * null / 10
    # A standard deviation of 100 permutations, skewed as a sum of four squares is: 4 * 10 %.
    assert ((found.null_sd / null - 1).abs() < 0.4).all()
    torch.testing.assert_close(found.z, (found.value - found.null_mean) / found.null_sd)
    assert (found.z > 0.3 / null).all()


def test_permutations_are_drawn_from_the_generator_and_alike_for_all_members() -> None:
    states = normal(3, 50, 3, 2)
    found, again = (against_permutations(states, 4, seeded(1)) for _ in range(2))
    other = against_permutations(states, 4, seeded(2))
    torch.testing.assert_close(found.null_mean, again.null_mean, rtol=0, atol=0)
    assert (found.null_mean != other.null_mean).all()
    alone = against_permutations(states[1:2], 4, seeded(1))
    for together, one in zip(found, alone, strict=True):
        torch.testing.assert_close(together[1:2], one, rtol=0, atol=1e-10)
    state = torch.get_rng_state()
    against_permutations(states, 2, seeded(1))
    torch.testing.assert_close(torch.get_rng_state(), state)


def test_permutations_of_what_cannot_be_measured() -> None:
    states = normal(2, 100, 3, 2)
    clean = against_permutations(states, 5, seeded())
    states[1, 3, 0, 0] = math.nan
    with one_warning():
        found = against_permutations(states, 5, seeded())
    for values, before in zip(found, clean, strict=True):
        assert values.isnan().tolist() == [[False] * 3, [True, True, False]]
        torch.testing.assert_close(values[0], before[0], rtol=0, atol=1e-10)
    with one_warning():
        assert against_permutations(normal(1, 9, 3, 4), 5, seeded()).z.isnan().all()


def gaussian_pairs(states: Tensor) -> Tensor:
    """The same from plain covariances, without ranks."""
    samples = states.flatten(2)
    covariance = torch.stack([torch.cov(one.T) for one in samples])
    return _pairwise(Copula(covariance, states.shape[1], *states.shape[2:]))


def test_ranks_change_gaussian_estimates_by_less_than_their_spread() -> None:
    states = gaussian(random_covariance(6, seed=2), 40, 1000, 3)
    change = pairwise(states) - gaussian_pairs(states)
    assert (change.std(dim=0) < gaussian_pairs(states).std(dim=0)).all()
