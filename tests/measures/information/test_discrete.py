"""Binding information of discrete distributions, against closed forms and dit."""

from __future__ import annotations

import itertools
import math

import dit
import numpy as np
import pytest
import torch
from dit.multivariate import dual_total_correlation, entropy, o_information, residual_entropy, total_correlation
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_sweeps.measures.information.binding import HigherOrderInformation
from badger_sweeps.measures.information.discrete import higher_order_information, joint_distribution
from tests.measures.information.oracles import assert_mean, no_warning, one_warning, seeded


def uniform_over(words: list[tuple[int, ...]], alphabet: int = 2) -> Tensor:
    table = torch.zeros(1, *(alphabet,) * len(words[0]), dtype=torch.float64)
    for word in words:
        table[0, *word] += 1 / len(words)
    return table


def assert_parts(found: HigherOrderInformation, binding: float, total: float, residual: float, joint: float) -> None:
    expected = (binding, total, residual, total - binding, joint)
    assert [value.item() for value in found] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", range(2, 8))
def test_copies_of_a_bit(n: int) -> None:
    """H = 1, R = 0, B = 1, TC = n - 1, O = n - 2."""
    found = higher_order_information(uniform_over([(0,) * n, (1,) * n]))
    assert_parts(found, binding=1, total=n - 1, residual=0, joint=1)
    assert found.o_information.item() == pytest.approx(n - 2, abs=1e-12)


def test_exclusive_or() -> None:
    """H = 2, B = 2, TC = 1, O = -1."""
    found = higher_order_information(uniform_over([(x, y, x ^ y) for x in (0, 1) for y in (0, 1)]))
    assert_parts(found, binding=2, total=1, residual=0, joint=2)
    assert found.o_information.item() == pytest.approx(-1, abs=1e-12)


@pytest.mark.parametrize("n", range(2, 9))
def test_parity(n: int) -> None:
    """TC = 1, B = n - 1, O = 2 - n."""
    words = [word for word in itertools.product((0, 1), repeat=n) if sum(word) % 2 == 0]
    found = higher_order_information(uniform_over(words))
    assert_parts(found, binding=n - 1, total=1, residual=0, joint=n - 1)
    assert found.o_information.item() == pytest.approx(2 - n, abs=1e-12)


@pytest.mark.parametrize(("n", "alphabet"), [(2, 2), (5, 2), (3, 4), (16, 2)])
def test_independent_symbols(n: int, alphabet: int) -> None:
    table = torch.full((1, *(alphabet,) * n), alphabet**-n, dtype=torch.float64)
    bits = n * math.log2(alphabet)
    assert_parts(higher_order_information(table), binding=0, total=0, residual=bits, joint=bits)


def test_one_expert() -> None:
    assert_parts(
        higher_order_information(torch.tensor([[0.25, 0.75]]).double()), 0, 0, 0.8112781244591328, 0.8112781244591328
    )


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 2, 2), (3, 2, 4), (2, 3, 2, 2)])
@pytest.mark.parametrize("zeros", [0.0, 0.4])
def test_dit_finds_the_same(shape: tuple[int, ...], zeros: float) -> None:
    rng = np.random.default_rng(len(shape))
    weights = rng.exponential(size=shape) * (rng.random(shape) >= zeros)
    table = weights / weights.sum()
    theirs = dit.Distribution(
        ["".join(map(str, word)) for word in np.ndindex(shape) if table[word] > 0],
        [float(table[word]) for word in np.ndindex(shape) if table[word] > 0],
    )
    names = (dual_total_correlation, total_correlation, residual_entropy, o_information, entropy)
    found = higher_order_information(torch.from_numpy(table)[None])
    assert [value.item() for value in found] == pytest.approx([float(name(theirs)) for name in names], abs=1e-9)


@given(seed=st.integers(0, 1000), order=st.permutations(range(3)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_experts_and_of_symbols_changes_nothing(seed: int, order: list[int]) -> None:
    table = torch.rand(2, 3, 2, 4, generator=seeded(seed), dtype=torch.float64)
    table /= table.sum(dim=(1, 2, 3), keepdim=True)
    found = higher_order_information(table)
    for changed in (table.permute(0, *(1 + expert for expert in order)), table.flip(1), table.roll(1, dims=3)):
        for value, before in zip(higher_order_information(changed), found, strict=True):
            torch.testing.assert_close(value, before, rtol=0, atol=1e-12)
    assert (found.binding >= -1e-12).all()
    assert (found.total_correlation >= -1e-12).all()
    assert (found.residual_entropy >= -1e-12).all()


def test_a_noisier_copy_binds_less() -> None:
    """Two bits alike but for flips: B = TC = 1 - h(flips)."""
    for flips in (0.0, 0.1, 0.3, 0.5):
        table = torch.tensor([[[1 - flips, flips], [flips, 1 - flips]]], dtype=torch.float64) / 2
        h = -sum(p * math.log2(p) for p in (flips, 1 - flips) if p)
        assert_parts(higher_order_information(table), binding=1 - h, total=1 - h, residual=2 * h, joint=1 + h)


def test_a_population_is_its_members_one_by_one() -> None:
    table = torch.rand(3, 2, 3, 2, generator=seeded(), dtype=torch.float64)
    table /= table.sum(dim=(1, 2, 3), keepdim=True)
    together = higher_order_information(table)
    for member in range(3):
        for value, one in zip(together, higher_order_information(table[member : member + 1]), strict=True):
            torch.testing.assert_close(value[member : member + 1], one, rtol=0, atol=0)


def test_float32() -> None:
    table = torch.rand(3, 2, 3, 2, generator=seeded())
    table /= table.sum(dim=(1, 2, 3), keepdim=True)
    for value, other in zip(higher_order_information(table), higher_order_information(table.double()), strict=True):
        assert value.dtype == torch.float64
        torch.testing.assert_close(value, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("wrong", ["negative", "nan", "inf", "half"])
def test_what_is_no_distribution_is_nan_and_no_other(wrong: str) -> None:
    table = torch.full((3, 2, 2), 0.25, dtype=torch.float64)
    if wrong == "negative":
        table[1] = torch.tensor([[-0.25, 0.5], [0.5, 0.25]])
    elif wrong == "half":
        table[1] /= 2
    else:
        table[1, 0, 1] = float(wrong)
    with one_warning():
        found = higher_order_information(table)
    for value in found:
        assert value.isnan().tolist() == [False, True, False]
    assert found.joint_entropy[[0, 2]].tolist() == [2, 2]


def test_shares_of_symbols() -> None:
    """Counted by hand: expert 0 is the first axis."""
    words = [(0, 1), (0, 1), (2, 0), (1, 2)] * 30
    found = joint_distribution(torch.tensor([words, words[::-1]]), alphabet=3)
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[0, 1], expected[2, 0], expected[1, 2] = 0.5, 0.25, 0.25
    torch.testing.assert_close(found, expected.expand(2, 3, 3))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16])
def test_symbols_of_exclusive_or(dtype: torch.dtype) -> None:
    """2000 games: the shares miss their probabilities by 0.01, entropies by a thousandth."""
    two = torch.randint(2, (4, 2000, 2), generator=seeded())
    symbols = torch.cat([two, two.sum(dim=2, keepdim=True) % 2], dim=2).to(dtype)
    with no_warning():
        found = higher_order_information(joint_distribution(symbols, 2))
    torch.testing.assert_close(found.binding, torch.full((4,), 2.0).double(), rtol=0, atol=0.01)
    torch.testing.assert_close(found.total_correlation, torch.ones(4).double(), rtol=0, atol=0.01)


def test_small_symbols_of_many_experts_do_not_overflow() -> None:
    symbols = torch.ones(1, 2560, 8, dtype=torch.int8)
    assert joint_distribution(symbols, 2)[0, 1, 1, 1, 1, 1, 1, 1, 1] == 1


@pytest.mark.parametrize(("games", "bits"), [(1000, 9.7), (10000, 10.9)])
def test_why_many_experts_are_refused(games: int, bits: float) -> None:
    """16 independent bits: B of the shares is 9.7 bits at 1000 games and more at 10000; the truth is 0. The spread over
    draws is far below the rounding of the published values."""
    symbols = torch.randint(2, (1, games, 16), generator=seeded())
    with one_warning():
        assert joint_distribution(symbols, 2).isnan().all()
    cells = (symbols * 2 ** torch.arange(15, -1, -1)).sum(dim=2)
    shares = torch.bincount(cells[0], minlength=2**16).double() / games
    assert higher_order_information(shares.view(1, *(2,) * 16)).binding.item() == pytest.approx(bits, abs=0.15)


@pytest.mark.parametrize(("experts", "alphabet"), [(6, 2), (2, 3), (3, 3)])
def test_ten_games_for_each_cell_are_asked_for(experts: int, alphabet: int) -> None:
    """Six binary experts need 640. The joint entropy then falls short by (cells - 1)/(2 N ln 2), below 0.08 bits."""
    cells = alphabet**experts
    symbols = torch.randint(alphabet, (400, 10 * cells, experts), generator=seeded())
    with no_warning():
        found = higher_order_information(joint_distribution(symbols, alphabet))
    short = experts * math.log2(alphabet) - found.joint_entropy
    # The next term of the expansion in 1/N is a tenth of this one's.
    expected = (cells - 1) / (20 * cells * math.log(2))
    assert_mean(short, expected, bias=0.1 * expected)
    assert short.mean() < 0.08
    with one_warning():
        table = joint_distribution(symbols[:, 1:], alphabet)
    assert table.shape == (400, *(alphabet,) * experts)
    assert table.isnan().all()


def test_symbols_outside_the_alphabet_are_refused() -> None:
    for wrong in (-1, 2):
        symbols = torch.zeros(1, 100, 2, dtype=torch.int64)
        symbols[0, 3, 1] = wrong
        with pytest.raises(ValueError, match="`symbols` must be from 0 to 1"):
            joint_distribution(symbols, 2)


def test_no_games() -> None:
    with one_warning():
        assert joint_distribution(torch.zeros(2, 0, 3, dtype=torch.int64), 2).isnan().all()
