"""Surrogates keep what they promise and lose the rest."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from badger_sweeps.measures.dynamics.surrogates import (
    amplitude_adjusted,
    compare_with_surrogates,
    phase_randomised,
    shuffled,
)
from tests.measures.dynamics.noises import fractional_gaussian, white

MAKERS = [phase_randomised, amplitude_adjusted, shuffled]
Maker = Callable[[Tensor, int, Generator], Tensor]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@settings(deadline=None)
@given(time=st.integers(2, 65), seed=st.integers(0, 1000))
def test_phases_change_and_the_spectrum_does_not(time: int, seed: int) -> None:
    """Odd and even lengths, where the last coefficient is real and has to stay so."""
    series = 3 + white(2, time, seed)
    drawn = phase_randomised(series, 4, seeded(seed))
    power = torch.fft.rfft(series).abs().expand(4, -1, -1)
    torch.testing.assert_close(torch.fft.rfft(drawn).abs(), power, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(drawn.mean(dim=2), series.mean(dim=1).expand(4, -1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("time", [64, 65])
def test_phases_are_uniform(time: int) -> None:
    """Then the surrogates of one value after another average to the mean, with sd/sqrt(draws) to spare."""
    series = white(1, time, 0)
    drawn = phase_randomised(series, 4000, seeded())
    # At 64 or 65 places; 5 standard errors come up once in 27000 runs.
    tolerance = 5 * series.std().item() / math.sqrt(4000)
    assert (drawn.mean(dim=0) - series.mean()).abs().max() < tolerance
    # The phases of neighbours are independent: no pair of frequencies turns together.
    turned = torch.fft.rfft(drawn) / torch.fft.rfft(series)
    together = (turned[..., 2:30] * turned[..., 1:29].conj()).mean(dim=0).abs().max()
    # |mean of 4000 unit vectors| has P(> r) = exp(-4000 r^2); 28 pairs at r = .07 come up once in 10^7.
    assert together < 0.07


def test_the_nyquist_frequency_gets_both_signs() -> None:
    alternating = torch.tensor([[1.0, -1.0] * 8])
    drawn = phase_randomised(alternating, 100, seeded())
    signs = drawn[:, 0, 0].round().tolist()
    assert set(signs) == {1.0, -1.0}
    torch.testing.assert_close(drawn.abs(), torch.ones_like(drawn))


@pytest.mark.parametrize("maker", [amplitude_adjusted, shuffled])
def test_the_values_are_kept_in_another_order(maker: Maker) -> None:
    series = white(3, 101, 1).exp()
    drawn = maker(series, 5, seeded())
    assert torch.equal(drawn.sort(dim=2).values, series.sort(dim=1).values.expand(5, -1, -1))
    assert (drawn[0] != drawn[1]).any()


def test_amplitude_adjustment_keeps_memory_and_shuffling_does_not() -> None:
    series = fractional_gaussian(0.8, 20, 1024, 2).exp()

    def neighbours(values: Tensor) -> Tensor:
        centred = values - values.mean(dim=-1, keepdim=True)
        return (centred[..., 1:] * centred[..., :-1]).sum(dim=-1) / centred.square().sum(dim=-1)

    of_itself = neighbours(series).mean().item()
    assert of_itself > 0.3
    # "Only nearly": a tenth of it is allowed. A shuffle's has sd 1/sqrt(1024) = .03, .002 over 200 of them.
    assert abs(neighbours(amplitude_adjusted(series, 10, seeded())).mean().item() - of_itself) < 0.1 * of_itself
    assert abs(neighbours(shuffled(series, 10, seeded())).mean().item()) < 0.01


@pytest.mark.parametrize("maker", MAKERS)
def test_members_do_not_depend_on_their_population(maker: Maker) -> None:
    series = white(3, 50, 3).float()
    together = maker(series, 4, seeded(7))
    assert together.shape == (4, 3, 50)
    assert together.dtype == torch.float64
    for member in range(3):
        alone = maker(series[member : member + 1], 4, seeded(7))
        torch.testing.assert_close(together[:, member : member + 1], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("maker", MAKERS)
def test_only_the_given_generator_is_drawn_from(maker: Maker) -> None:
    before = torch.get_rng_state()
    first = maker(white(1, 30, 0), 3, seeded(5))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, maker(white(1, 30, 0), 3, seeded(5)))
    assert not torch.equal(first, maker(white(1, 30, 0), 3, seeded(6)))


@pytest.mark.parametrize("maker", MAKERS)
def test_nan_stays_with_its_member(maker: Maker) -> None:
    series = white(2, 30, 0)
    series[0, 4] = math.nan
    drawn = maker(series, 3, seeded())
    assert drawn[:, 0].isnan().any(dim=1).all()
    assert drawn[:, 1].isfinite().all()


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(
    ("alternative", "p"),
    # Among 1, 2, 3, 4 two are at least 3 and three at most 3: (1 + 2)/5, (1 + 3)/5, and twice the smaller one, cut.
    [("greater", 0.6), ("less", 0.8), ("two-sided", 1.0)],
)
def test_p_values_by_hand(alternative: str, p: float) -> None:
    result = compare_with_surrogates(torch.tensor([3.0]), column(1, 2, 3, 4), alternative)  # type: ignore[arg-type]
    assert result.p_value.item() == pytest.approx(p, rel=1e-12)
    assert result.value.item() == 3
    assert result.surrogate_mean.item() == 2.5
    assert result.surrogate_sd.item() == pytest.approx(math.sqrt(5 / 3), rel=1e-12)


def test_39_draws_are_the_fewest_that_reach_a_two_sided_twentieth() -> None:
    null = torch.linspace(-1, 1, 39, dtype=torch.float64)[:, None]
    for extreme in (-2.0, 2.0):
        assert compare_with_surrogates(torch.tensor([extreme]), null).p_value.item() <= 0.05
        assert compare_with_surrogates(torch.tensor([extreme]), null[:38]).p_value.item() > 0.05


def test_p_is_uniform_where_the_null_holds() -> None:
    """A value from the same distribution has every rank equally often: P(p <= .1) = .1 with 19 draws."""
    drawn = torch.from_numpy(white(20, 20000, 4).numpy())
    result = compare_with_surrogates(drawn[0], drawn[1:])
    for level in (0.1, 0.3, 0.5):
        rate = (result.p_value <= level + 1e-9).double().mean().item()
        assert abs(rate - level) < 4 * math.sqrt(level * (1 - level) / 20000)


def test_surrogates_that_could_not_be_measured_are_left_out() -> None:
    null = torch.stack([torch.tensor([1.0, math.nan, math.inf])] * 3)
    null[:, 0] = torch.tensor([1.0, math.nan, 2.0])
    result = compare_with_surrogates(torch.tensor([3.0, 3.0, 3.0]), null, "greater")
    assert result.p_value[0].item() == pytest.approx(1 / 3)
    assert result.surrogate_mean[0].item() == 1.5
    for field in (result.surrogate_mean, result.surrogate_sd, result.p_value):
        assert field[1:].isnan().all()


def test_a_value_that_could_not_be_measured_has_no_p() -> None:
    result = compare_with_surrogates(torch.tensor([math.nan, 1.0]), torch.rand(9, 2, generator=seeded()))
    assert all(field[0].isnan() for field in result)
    assert all(field[1].isfinite() for field in result)


def test_one_surrogate_has_no_spread() -> None:
    result = compare_with_surrogates(torch.tensor([1.0]), column(0))
    assert result.surrogate_sd.isnan().all()
    assert result.p_value.item() == 1
