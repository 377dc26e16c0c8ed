"""What one more expert brings, where it is known."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from scipy.special import comb
from torch import Tensor

from badger_sweeps.measures.information import growth
from badger_sweeps.measures.information.binding import higher_order_information
from badger_sweeps.measures.information.copula import Copula
from badger_sweeps.measures.information.growth import MOST_SUBSETS, concavity, shared_with_others, task_information
from badger_sweeps.measures.information.mutual_information import pairwise
from tests.measures.information.oracles import (
    BITS,
    assert_mean,
    equicorrelated,
    equicorrelation,
    exactly,
    gaussian,
    gaussian_entropy,
    no_warning,
    normal,
    one_warning,
    random_covariance,
    seeded,
)


@pytest.fixture
def of_covariance(monkeypatch: pytest.MonkeyPatch):
    """psi of a covariance that is known, without samples."""

    def psi(covariance: Tensor, experts: int, components: int = 1) -> Tensor:
        with monkeypatch.context() as patch:
            patch.setattr(Copula, "of", lambda states, given: exactly(covariance, experts, components))
            return shared_with_others(normal(1, 4, experts, components), seeded())[0]

    return psi


def psi_of_equicorrelated(size: int, rho: float) -> float:
    return -math.log2(1 - size * rho**2 / (1 + (size - 1) * rho)) / 2


def test_psi_of_equally_correlated_scalars(of_covariance) -> None:
    """.1438, .2027 and .2350 nats at rho = 0.5."""
    found = of_covariance(equicorrelation(4, 0.5), 4)
    assert (found / BITS).tolist() == pytest.approx([0.1438, 0.2027, 0.2350], abs=5e-5)
    estimates = shared_with_others(gaussian(equicorrelation(4, 0.5), 200, 1000, 4), seeded()) / BITS
    for size, truth in enumerate([0.1438, 0.2027, 0.2350]):
        assert_mean(estimates[:, size], truth, bias=0.01 * truth)


@pytest.mark.parametrize(("experts", "rho"), [(5, -0.2), (6, 0.9), (16, 0.3)])
def test_psi_of_more_of_them(experts: int, rho: float, of_covariance) -> None:
    """The same for every choice of experts, also where only 200 are drawn."""
    expected = [psi_of_equicorrelated(size, rho) for size in range(1, experts)]
    found = of_covariance(equicorrelation(experts, rho), experts)
    assert found.tolist() == pytest.approx(expected, abs=1e-8)
    assert (concavity(found[None]) > 0) == (rho > 0)


def test_psi_by_its_definition(of_covariance) -> None:
    """The mean over all i and S of I(X_i; X_S), entropies by scipy."""
    experts, components = 4, 2
    covariance = random_covariance(8, seed=1)
    entropy = lambda subset: gaussian_entropy(  # noqa: E731
        covariance, [expert * components + k for expert in subset for k in range(components)]
    )
    expected = []
    for size in range(1, experts):
        information = [
            entropy([one]) + entropy(others) - entropy([one, *others])
            for one in range(experts)
            for others in combinations([other for other in range(experts) if other != one], size)
        ]
        expected.append(sum(information) / len(information))
    assert of_covariance(covariance, experts, components).tolist() == pytest.approx(expected, abs=1e-8)


def noisy(signs: Tensor, population: int, games: int, noise: float) -> Tensor:
    """Linear mixtures of independent normal variables, each with noise of its own."""
    sources = normal(population, games, signs.shape[1])
    return (sources @ signs.double().T + math.sqrt(noise) * normal(population, games, len(signs), seed=1))[..., None]


def test_one_copy_has_all_information() -> None:
    """psi is nearly flat: copies of one number with noise 0.01, whose psi is that of rho = 1/1.01."""
    found = shared_with_others(noisy(torch.ones(5, 1), 60, 1000, 0.01), seeded())
    for size in range(1, 5):
        truth = psi_of_equicorrelated(size, 1 / 1.01)
        assert_mean(found[:, size - 1], truth, bias=0.02 * truth)
    assert (concavity(found) > 0.8).all()


def test_a_sum_is_known_only_together() -> None:
    """The Gaussian parity: x_n = x_1 + ... + x_(n-1) + noise. psi rises ever faster and O-information is negative."""
    signs = torch.cat([torch.eye(4), torch.ones(1, 4)])
    states = noisy(signs, 30, 1000, 0.01)
    found = shared_with_others(states, seeded())
    assert (concavity(found) < 0).all()
    assert (found.diff(n=2, dim=1) > 0).all()
    assert (higher_order_information(states).o_information < 0).all()


@pytest.mark.parametrize("experts", [3, 5, 7])
def test_identities(experts: int) -> None:
    """psi(1) = mean MI of pairs; psi(2) - 2 psi(1) = -mean O of triplets; n psi(n - 1) = TC + B. Of every estimate."""
    states = normal(3, 100, experts, 2) + normal(3, 100, 1, 2, seed=1)
    targets = normal(3, 100, 2, seed=2)
    for conditions in (None, targets):
        psi = shared_with_others(states, seeded(), conditions)
        torch.testing.assert_close(psi[:, 0], pairwise(states, conditions).mean(dim=1), rtol=0, atol=1e-10)
        triplets = [list(three) for three in combinations(range(experts), 3)]
        o = torch.stack([higher_order_information(states[:, :, three], conditions).o_information for three in triplets])
        torch.testing.assert_close(psi[:, 1] - 2 * psi[:, 0], -o.mean(dim=0), rtol=0, atol=1e-10)
        whole = higher_order_information(states, conditions)
        torch.testing.assert_close(experts * psi[:, -1], whole.total_correlation + whole.binding, rtol=0, atol=1e-9)


def test_independent_experts_share_nothing() -> None:
    found = shared_with_others(normal(60, 300, 5, 2), seeded())
    for size in range(4):
        assert_mean(found[:, size], 0.0)


def test_experts_that_know_the_target_share_nothing_given_it() -> None:
    targets = normal(60, 1000, 2)
    states = targets[:, :, None] + math.sqrt(0.1) * normal(60, 1000, 5, 2, seed=1)
    raw, within = shared_with_others(states, seeded()), shared_with_others(states, seeded(), targets)
    for size in range(1, 5):
        assert_mean(raw[:, size - 1], 2 * psi_of_equicorrelated(size, 1 / 1.1), bias=0.03)
        assert_mean(within[:, size - 1], 0.0, bias=0.003)


@pytest.mark.parametrize("noise", [1.0, 0.1])
def test_task_information_of_targets_with_private_noise(noise: float) -> None:
    """n readings of a Gaussian number: I(T; X_S) = log2(1 + |S|/s)/2 in each dimension, concave."""
    targets = normal(60, 1000, 2)
    states = targets[:, :, None] + math.sqrt(noise) * normal(60, 1000, 6, 2, seed=1)
    found = task_information(states, targets, seeded())
    for size in range(1, 7):
        truth = math.log2(1 + size / noise)
        assert_mean(found[:, size - 1], truth, bias=0.01 * truth)
    assert (concavity(found) > 0).all()


def test_task_information_of_shares_of_a_target() -> None:
    """Each expert reads one of four independent terms of the target, with noise of variance 0.1; the target has a fifth
    that none of them reads: convex."""
    terms = normal(60, 1000, 5)
    states = (terms[..., :4] + math.sqrt(0.1) * normal(60, 1000, 4, seed=1))[..., None]
    targets = terms.sum(dim=2, keepdim=True)
    found = task_information(states, targets, seeded())
    for size in range(1, 5):
        truth = -math.log2(1 - size / 1.1 / 5) / 2
        assert_mean(found[:, size - 1], truth, bias=0.01 * truth)
    assert (concavity(found) < 0).all()


def test_task_information_of_experts_that_know_nothing() -> None:
    found = task_information(normal(100, 300, 4, 2), normal(100, 300, 3, seed=1), seeded())
    for size in range(4):
        assert_mean(found[:, size], 0.0)


def test_task_information_is_what_one_expert_shares_with_the_targets_as_another() -> None:
    states = equicorrelated(0.6, 3, 200, 2, 2)
    found = task_information(states[:, :, :1], states[:, :, 1], seeded())
    torch.testing.assert_close(found, pairwise(states), rtol=0, atol=1e-10)


def test_concavity_of_known_curves() -> None:
    """Copies 1, 1, 1: above the line by 2/3 and 1/3. Parity 0, 0, 1: below it by as much. The line: 0."""
    curves = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 2.0, 3.0], [2.0, 3.0, 3.0]]).double()
    assert concavity(curves).tolist() == pytest.approx([0.5, -0.5, 0, 1])
    assert concavity(7 * curves).tolist() == pytest.approx([3.5, -3.5, 0, 7])
    sqrt = torch.arange(1, 1001).double().div(1000).sqrt()
    # Its integral lies above that of the line by 2/3 - 1/2.
    assert concavity(sqrt[None]).item() == pytest.approx(1 / 6, abs=0.001)
    assert concavity(sqrt.square()[None]).item() == pytest.approx(0, abs=1e-12)
    assert concavity(curves.float()).dtype == torch.float32


def test_concavity_of_too_little() -> None:
    curves = torch.tensor([[0.1, math.nan, 0.3], [0.1, 0.2, 0.2], [math.nan, 0.2, 0.2], [0.1, 0.2, math.nan]]).double()
    with no_warning():  # what measured the curve has warned
        assert concavity(curves).isnan().tolist() == [True, False, True, True]
    for sizes in (0, 1):
        with one_warning():
            assert concavity(torch.ones(2, sizes)).isnan().all()


@pytest.mark.parametrize("experts", [1, 2, 5, 8, 16])
def test_subsets_are_all_or_200_different_experts(experts: int) -> None:
    for size in range(1, experts + 1):
        chosen = growth._subsets(experts, size, seeded())
        assert len(chosen) == min(MOST_SUBSETS, comb(experts, size, exact=True))
        assert all(len(set(row)) == size and set(row) <= set(range(experts)) for row in chosen.tolist())
        if len(chosen) < MOST_SUBSETS:
            assert len({frozenset(row) for row in chosen.tolist()}) == len(chosen)
    for size in range(1, experts):
        chosen = growth._with_one_more(experts, size, seeded())
        assert len(chosen) == min(MOST_SUBSETS, experts * comb(experts - 1, size, exact=True))
        assert all(len(set(row)) == size + 1 and set(row) <= set(range(experts)) for row in chosen.tolist())
        if len(chosen) < MOST_SUBSETS:
            assert len({(row[0], frozenset(row[1:])) for row in chosen.tolist()}) == len(chosen)


def test_drawn_subsets_are_uniform() -> None:
    """Each of 16 experts is first in 200/16 of 200 rows: chi-squared with 15 degrees of freedom over 50 draws."""
    generator = seeded()
    rows = torch.cat([growth._with_one_more(16, 5, generator) for _ in range(50)])
    for place in (0, 1, 5):
        counts = torch.bincount(rows[:, place], minlength=16).double()
        chi_squared = ((counts - len(rows) / 16) ** 2 / (len(rows) / 16)).sum().item()
        assert chi_squared < 37.7  # exceeded once in a thousand


def test_the_mean_over_drawn_subsets_is_that_over_all() -> None:
    """9 experts have 252 or more choices of an expert and three others. Of unlike experts, drawn means scatter about
    the mean over all of them."""
    strengths = torch.linspace(0.1, 2, 9).double()[:, None]
    states = normal(1, 1000, 1, 1) * strengths + normal(1, 1000, 9, 1, seed=1)
    copula = Copula.of(states)
    rows = torch.tensor(
        [[i, *s] for i in range(9) for s in combinations([other for other in range(9) if other != i], 3)]
    )
    exact = (copula.entropy(rows[:, :1]) + copula.entropy(rows[:, 1:]) - copula.entropy(rows)).mean().item()
    drawn = torch.stack([shared_with_others(states, seeded(seed))[0, 2] for seed in range(30)])
    assert drawn.std() > 0
    assert_mean(drawn, exact)


def test_subsets_are_drawn_from_the_generator_and_alike_for_all_members() -> None:
    states, targets = normal(3, 100, 10, 1), normal(3, 100, 2)
    before = torch.get_rng_state()
    for function in (
        lambda s, t, g: shared_with_others(s, g),
        lambda s, t, g: shared_with_others(s, g, t),
        lambda s, t, g: task_information(s, t, g),
    ):
        together = function(states, targets, seeded(4))
        torch.testing.assert_close(together, function(states, targets, seeded(4)), rtol=0, atol=0)
        assert (together != function(states, targets, seeded(5))).any()
        for member in range(3):
            one = slice(member, member + 1)
            alone = function(states[one], targets[one], seeded(4))
            torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.get_rng_state(), before)


def test_float32_and_float64_agree() -> None:
    """To the bit where nothing is given; rounding of residuals may swap two neighbours in rank."""
    states, targets = normal(2, 100, 4, 2).float(), normal(2, 100, 2, seed=1).float()
    found = shared_with_others(states, seeded(), targets)
    assert found.dtype == torch.float64
    torch.testing.assert_close(
        found, shared_with_others(states.double(), seeded(), targets.double()), rtol=0, atol=1e-3
    )
    information = task_information(states, targets, seeded())
    assert information.dtype == torch.float64
    torch.testing.assert_close(
        information, task_information(states.double(), targets.double(), seeded()), rtol=0, atol=0
    )


def test_sizes_for_which_games_are_too_few_are_nan() -> None:
    """10 games are enough for eight variables."""
    with one_warning():
        found = shared_with_others(normal(2, 10, 4, 3), seeded())
    assert found.isnan().tolist() == [[False, True, True]] * 2
    with one_warning():
        information = task_information(normal(2, 10, 4, 3), normal(2, 10, 2), seeded())
    assert information.isnan().tolist() == [[False, False, True, True]] * 2


@pytest.mark.parametrize("value", [math.nan, math.inf, "constant"])
def test_a_member_that_cannot_be_measured_is_nan_and_no_other(value: float | str) -> None:
    states, targets = normal(3, 100, 4, 2), normal(3, 100, 2, seed=1)
    if value == "constant":
        states[1, :, 2, 0] = 0.1
    else:
        states[1, 7, 2, 0] = value
    for function in (shared_with_others, lambda s, g: task_information(s, targets, g)):
        with one_warning():
            found = function(states, seeded())
        assert found.isnan().all(dim=1).tolist() == [False, True, False]
        assert found[[0, 2]].isfinite().all()


def test_few_experts() -> None:
    with no_warning():
        assert shared_with_others(normal(2, 50, 1, 2), seeded()).shape == (2, 0)
        assert shared_with_others(normal(2, 50, 2, 2), seeded()).shape == (2, 1)
        assert task_information(normal(2, 50, 1, 2), normal(2, 50, 2, seed=1), seeded()).shape == (2, 1)
