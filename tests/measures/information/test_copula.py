"""Entropies of Gaussian variables, from covariances and from ranks."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from badger_sweeps.measures.information.copula import Copula, entropy_bias, normal_scores
from tests.measures.information.oracles import (
    BITS,
    EXACT,
    assert_mean,
    correlated_pair,
    equicorrelated,
    exactly,
    gaussian_entropy,
    no_warning,
    normal,
    one_warning,
    random_covariance,
    seeded,
    truth_of_equicorrelated,
)

STANDARD_NORMAL = math.log2(2 * math.pi * math.e) / 2


def of_experts(subset: tuple[int, ...], components: int) -> list[int]:
    return [expert * components + component for expert in subset for component in range(components)]


@pytest.mark.parametrize(("experts", "components", "dims"), [(3, 1, 0), (4, 2, 0), (3, 2, 3), (1, 3, 2), (5, 1, 1)])
def test_entropies_of_a_covariance_are_those_of_scipy(experts: int, components: int, dims: int) -> None:
    """With other variables after the experts'."""
    width = experts * components
    covariance = random_covariance(width + dims, seed=experts)
    copula, rest = exactly(covariance, experts, components), list(range(width, width + dims))
    for size in range(experts + 1):
        chosen = list(combinations(range(experts), size))
        subsets = torch.tensor(chosen, dtype=torch.int64).reshape(len(chosen), size)
        chosen_variables = [of_experts(subset, components) for subset in chosen]
        expected = [gaussian_entropy(covariance, variables) for variables in chosen_variables]
        assert copula.entropy(subsets)[0].tolist() == pytest.approx(expected, abs=1e-8)
        both = [gaussian_entropy(covariance, variables + rest) for variables in chosen_variables]
        information = np.add(expected, gaussian_entropy(covariance, rest)) - both
        assert copula.information_about_others(subsets)[0].tolist() == pytest.approx(information.tolist(), abs=1e-8)
    others = [
        gaussian_entropy(covariance, of_experts(tuple({*range(experts)} - {one}), components)) for one in range(experts)
    ]
    assert copula.entropy_without_each[0].tolist() == pytest.approx(others, abs=1e-8)
    assert copula.joint_entropy.item() == pytest.approx(gaussian_entropy(covariance, list(range(width))), abs=1e-8)


def test_an_entropy_does_not_depend_on_the_order_within_a_subset() -> None:
    copula = exactly(random_covariance(8, seed=3), 4, 2)
    found = copula.entropy(torch.tensor([[0, 2, 3], [3, 0, 2], [2, 3, 0]]))
    torch.testing.assert_close(found, found[:, :1].expand(-1, 3), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("variables", "games"), [(1, 3), (1, 10), (4, 7), (6, 40)])
def test_the_bias_of_a_sample_covariance(variables: int, games: int) -> None:
    """Against the mean over samples of a standard Gaussian, whose true log-determinant is 0."""
    samples = normal(20000, games, variables, seed=games)
    centred = samples - samples.mean(dim=1, keepdim=True)
    log_det = torch.logdet(centred.mT @ centred / (games - 1))
    assert_mean(log_det / 2, entropy_bias(variables, games))


@pytest.mark.parametrize(("games", "bits", "rounding"), [(100, 11.6, 0.05), (300, 2.78, 0.005), (1000, 0.76, 0.005)])
def test_the_bias_of_mutual_information_in_32_dimensions(games: int, bits: float, rounding: float) -> None:
    """2 b(32) - b(64): what a plug-in estimate shows where nothing is shared."""
    found = (2 * entropy_bias(32, games) - entropy_bias(64, games)) * BITS
    assert found == pytest.approx(bits, abs=rounding)
    samples = normal(20, games, 64, seed=games)
    covariance = torch.stack([torch.cov(sample.T) for sample in samples])
    halves = torch.logdet(covariance[:, :32, :32]) + torch.logdet(covariance[:, 32:, 32:])
    assert_mean((halves - torch.logdet(covariance)) / 2 * BITS, found)


def test_the_bias_vanishes_with_many_games() -> None:
    """About -m(m + 1)/(4N)."""
    assert entropy_bias(0, 10) == 0
    for variables in (1, 8, 64):
        expected = -variables * (variables + 1) / (4 * 10**6)
        assert entropy_bias(variables, 10**6) == pytest.approx(expected, rel=1e-3)
        assert abs(entropy_bias(variables, EXACT)) < 1e-8


@pytest.mark.parametrize("games", [3, 10, 100, 1000])
def test_a_single_component_has_the_entropy_of_a_standard_normal_variable(games: int) -> None:
    states = normal(2, games, 3, 1).exp()
    found = Copula.of(states).entropy(torch.arange(3)[:, None])
    torch.testing.assert_close(found, torch.full_like(found, STANDARD_NORMAL), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("experts", "dims", "games"), [(16, 4, 1000), (4, 4, 100), (2, 2, 30)])
def test_joint_entropies_of_independent_components_have_no_bias(experts: int, dims: int, games: int) -> None:
    joint = Copula.of(normal(100, games, experts, dims)).joint_entropy
    assert_mean(joint, experts * dims * STANDARD_NORMAL)


def test_joint_entropies_of_dependent_components() -> None:
    """Ranks of 1000 games lose up to a hundredth of what is shared, here of 33 bits."""
    joint = Copula.of(equicorrelated(0.6, 60, 1000, 16, 4)).joint_entropy
    total = 4 * truth_of_equicorrelated(16, 0.6).total_correlation
    assert_mean(joint, 64 * STANDARD_NORMAL - total, bias=0.01 * total)


@given(games=st.integers(2, 60), seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_scores_are_normal_quantiles_of_ranks(games: int, seed: int) -> None:
    samples = normal(2, games, 3, seed=seed)
    found = normal_scores(samples)
    ranks = stats.rankdata(samples.mT.numpy(), axis=-1)
    expected = torch.from_numpy(stats.norm.ppf(ranks / (games + 1)))
    torch.testing.assert_close(found / found.abs().amax(), expected / expected.abs().amax())
    torch.testing.assert_close(found.var(dim=-1), torch.ones(2, 3, dtype=torch.float64))


@pytest.mark.parametrize("games", [10, 1000])
def test_a_single_variable_has_the_entropy_of_a_standard_normal_one(games: int) -> None:
    found = Copula.of(normal(3, games, 1, 1)).joint_entropy
    standard = math.log2(2 * math.pi * math.e) / 2
    torch.testing.assert_close(found, torch.full((3,), standard, dtype=torch.float64))


@pytest.mark.parametrize("function", [torch.exp, torch.sinh, lambda x: -1 / (x - 10), lambda x: 3 * x - 7])
def test_scores_see_only_the_order(function) -> None:
    samples = normal(2, 500, 4)
    torch.testing.assert_close(normal_scores(function(samples)), normal_scores(samples), rtol=0, atol=0)


def test_scores_of_float32() -> None:
    samples = normal(2, 500, 4).float()
    assert normal_scores(samples).dtype == torch.float64
    torch.testing.assert_close(normal_scores(samples), normal_scores(samples.double()), rtol=0, atol=0)


def test_scores_need_no_gradient_and_leave_the_input_as_it_was() -> None:
    samples = normal(1, 50, 2).round(decimals=1).requires_grad_()
    before = samples.detach().clone()
    assert not normal_scores(samples).requires_grad
    torch.testing.assert_close(samples.detach(), before, rtol=0, atol=0)


def bits(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(2, shape, generator=seeded(seed)).double()


@pytest.mark.parametrize("levels", [2, 5, 50])
def test_ties_do_not_make_independent_variables_dependent(levels: int) -> None:
    """20 variables of few values: 190 correlations of scores, of standard deviation 1/sqrt(N - 1) if independent."""
    games, variables = 2000, 20
    scores = normal_scores(torch.randint(levels, (1, games, variables), generator=seeded()).double())
    correlations = torch.corrcoef(scores[0])[*torch.triu_indices(variables, variables, 1)]
    assert correlations.std().item() == pytest.approx(1 / math.sqrt(games - 1), rel=4 / math.sqrt(2 * 190))
    assert correlations.abs().max().item() < 5 / math.sqrt(games)


def test_ties_are_not_broken_by_position() -> None:
    """Each variable is the same in all games but one of its own: by position all would have the same ranks."""
    games, variables = 2000, 20
    scores = normal_scores(torch.eye(games, variables, dtype=torch.float64)[None])
    correlations = torch.corrcoef(scores[0])[*torch.triu_indices(variables, variables, 1)]
    assert correlations.abs().max().item() < 5 / math.sqrt(games)


def test_ties_are_broken_within_themselves_only() -> None:
    samples = bits(3, 400, 2)
    scores = normal_scores(samples)
    low = torch.where(samples.mT == 0, scores, -math.inf).amax(dim=-1)
    high = torch.where(samples.mT == 1, scores, math.inf).amin(dim=-1)
    assert (low < high).all()
    for row in scores.flatten(0, 1):
        assert len(row.unique()) == 400


def test_ties_of_one_member_leave_the_others_as_they_are() -> None:
    samples = normal(3, 200, 4)
    tied = samples.clone()
    tied[1] = tied[1].round()
    torch.testing.assert_close(normal_scores(tied)[[0, 2]], normal_scores(samples)[[0, 2]], rtol=0, atol=0)


def test_a_population_is_its_members_one_by_one() -> None:
    states, targets = normal(4, 200, 3, 2), normal(4, 200, 2, seed=1)
    states[2] = states[2].round()
    together = Copula.of(states, targets)
    for member in range(4):
        alone = Copula.of(states[member : member + 1], targets[member : member + 1])
        close = lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=1e-12)  # noqa: E731
        close(together.covariance[member], alone.covariance[0])
        close(together.joint_entropy[member], alone.joint_entropy[0])
        close(together.entropy_without_each[member], alone.entropy_without_each[0])


def test_further_axes_before_the_games_are_a_batch() -> None:
    states, targets = normal(2, 3, 100, 4, 2), normal(2, 3, 100, 2, seed=1)
    deep, flat = Copula.of(states, targets), Copula.of(states.flatten(0, 1), targets.flatten(0, 1))
    subsets = torch.tensor([[0, 1], [2, 3]])
    torch.testing.assert_close(deep.entropy(subsets).flatten(0, 1), flat.entropy(subsets))
    torch.testing.assert_close(deep.joint_entropy.flatten(), flat.joint_entropy)
    torch.testing.assert_close(deep.entropy_without_each.flatten(0, 1), flat.entropy_without_each)
    single = Copula.of(states[0, 0], targets[0, 0])
    torch.testing.assert_close(single.joint_entropy, deep.joint_entropy[0, 0])


@pytest.mark.parametrize("variables", [1, 4, 9])
def test_two_games_more_than_variables_are_needed(variables: int) -> None:
    with no_warning():
        assert Copula.of(normal(2, variables + 2, variables, 1)).joint_entropy.isfinite().all()
    with one_warning():
        copula = Copula.of(normal(2, variables + 1, variables, 1))
        assert copula.joint_entropy.isnan().all()
        assert copula.entropy(torch.arange(variables)[None]).isnan().all()


@pytest.mark.parametrize("games", [0, 1])
def test_hardly_any_games(games: int) -> None:
    with one_warning():
        assert Copula.of(normal(2, games, 3, 2)).joint_entropy.isnan().all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_component_that_is_not_finite_is_nan_and_no_other(value: float) -> None:
    states = normal(3, 100, 4, 2)
    clean = Copula.of(states)
    states[1, 17, 2, 1] = value
    with one_warning():
        copula = Copula.of(states)
        assert copula.covariance[1, 5].isnan().all()
        assert copula.covariance[1, :, 5].isnan().all()
        assert copula.covariance.isnan().sum() == 2 * 8 - 1
        assert copula.joint_entropy.isnan().tolist() == [False, True, False]
        alone = copula.entropy(torch.arange(4)[:, None])
        assert alone[1].isnan().tolist() == [False, False, True, False]
    torch.testing.assert_close(copula.joint_entropy[[0, 2]], clean.joint_entropy[[0, 2]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e30, -7.3])
def test_a_constant_component_is_nan(constant: float) -> None:
    states = normal(2, 100, 3, 2)
    states[0, :, 1, 0] = constant
    with one_warning():
        copula = Copula.of(states)
        assert copula.joint_entropy.isnan().tolist() == [True, False]
        assert copula.entropy_without_each.isnan().all(dim=1).tolist() == [True, False]


@pytest.mark.parametrize("function", [lambda x: x, lambda x: -x, torch.exp])
@pytest.mark.parametrize("shift", [0, 1])
def test_functions_of_each_other_are_nan_and_not_a_large_number(function, shift: int) -> None:
    """Infinite, but for rounding; also where the copies are in another order."""
    states = normal(2, 200, 3, 4)
    states[0, :, 1] = function(states[0, :, 0].roll(shift, dims=-1))
    with one_warning():
        copula = Copula.of(states)
        assert copula.joint_entropy.isnan().tolist() == [True, False]
        assert copula.entropy_without_each.isnan().all(dim=1).tolist() == [True, False]
        pairs = copula.entropy(torch.tensor([[0, 1], [0, 2], [1, 2]]))
        assert pairs.isnan().tolist() == [[True, False, False], [False, False, False]]


@pytest.mark.parametrize("components", [1, 3])
def test_rounding_does_not_make_functions_of_each_other_finite(components: int) -> None:
    """The last pivot of their covariance is rounding, of either sign: 25 bits if taken for a variance."""
    states = normal(40, 1000, 3, components)
    states += states.mean(dim=2, keepdim=True)
    states[:, :, 2] = states[:, :, 0]
    with one_warning():
        copula = Copula.of(states)
        assert copula.joint_entropy.isnan().all()
        assert copula.entropy(torch.tensor([[0, 2]])).isnan().all()


def test_strong_dependence_is_not_taken_for_a_function() -> None:
    """A correlation of 1 - 1e-8: as ranks of 1000 games, most but not all are alike."""
    states = correlated_pair(1 - 1e-8, 5, 1000, 3, 3)
    with no_warning():
        assert Copula.of(states).joint_entropy.isfinite().all()


def test_the_empty_subset() -> None:
    found = Copula.of(normal(2, 30, 2, 2)).entropy(torch.zeros(3, 0, dtype=torch.int64))
    assert found.tolist() == [[0, 0, 0], [0, 0, 0]]
