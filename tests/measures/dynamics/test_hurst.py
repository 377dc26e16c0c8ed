"""Hurst exponents of series whose memory is known."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Generator, Tensor

from badger_sweeps.measures.dynamics.hurst import Hurst, against_shuffles, hurst, increments, on_stretches, sliding
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning
from tests.measures.dynamics.noises import fractional_gaussian, walk, white

MEMBERS, TIME = 80, 1024
# What DFA is in truth, and what R/S corrected by Anis & Lloyd gives at this length: it is known to be drawn to 0.5.
KNOWN = {
    "white noise": (white(MEMBERS, TIME, 1), 0.51, 0.5),
    "fractional noise 0.8": (fractional_gaussian(0.8, MEMBERS, TIME, 2), 0.71, 0.8),
    "fractional noise 0.3": (fractional_gaussian(0.3, MEMBERS, TIME, 3), 0.36, 0.3),
    "walk": (walk(MEMBERS, TIME, 4), 0.92, 1.5),
    "differenced white noise": (increments(white(MEMBERS, TIME + 1, 5)), 0.12, 0.0),
    "increments of a walk": (increments(walk(MEMBERS, TIME + 1, 6)), 0.51, 0.5),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_exponents(name: str) -> None:
    series, rs, dfa = KNOWN[name]
    found = hurst(series)
    # Spreads are at most .04 (R/S) and .08 (DFA), so the means of 80 have standard errors below .0045 and .009: four of
    # them, and .01 for R/S's reference, which was itself read off a sample and rounded.
    assert abs(found.rs.mean().item() - rs) < 0.01 + 4 * 0.0045
    # DFA's own bias at this length: at most .02, but for differenced white noise, whose memory of one iteration is not
    # yet gone in the smaller windows (nolds' own windows give .09).
    bias = 0.09 if name == "differenced white noise" else 0.02
    assert abs(found.dfa.mean().item() - dfa) < bias + 4 * 0.009


@pytest.mark.parametrize(("name", "rs", "dfa"), [("white noise", 0.04, 0.04), ("walk", 0.02, 0.07)])
def test_the_spread_is_as_documented(name: str, rs: float, dfa: float) -> None:
    found = hurst(KNOWN[name][0])
    # A standard deviation from 80 values has a relative error of 1/sqrt(160) = 8 %: four of them and the rounding.
    assert abs(found.rs.std().item() - rs) < 0.32 * rs + 0.005
    assert abs(found.dfa.std().item() - dfa) < 0.32 * dfa + 0.005


def test_a_flat_noisy_level_and_a_walk_are_told_apart() -> None:
    """The two things that "0.5" can mean of a loss."""
    flat = 0.75 + 0.03 * white(MEMBERS, TIME, 7)
    moving = 0.75 + 0.001 * walk(MEMBERS, TIME, 8)
    tolerance = 0.02 + 4 * 0.009  # as above
    assert abs(hurst(flat).dfa.mean().item() - 0.5) < tolerance
    assert abs(hurst(moving).dfa.mean().item() - 1.5) < tolerance
    assert abs(hurst(increments(moving)).dfa.mean().item() - 0.5) < tolerance
    assert hurst(increments(flat)).dfa.mean().item() < 0.15


def fluctuation(series: NDArray[np.float64], window: int) -> float:
    """DFA's rms deviation from a straight line, from the definition."""
    profile = np.cumsum(series - series.mean())
    count = len(series) // window
    basis = np.stack([np.ones(window), np.arange(window)], axis=1)
    pieces = profile[: count * window].reshape(count, window).T
    residual = pieces - basis @ np.linalg.lstsq(basis, pieces, rcond=None)[0]
    return float(np.sqrt(np.square(residual).mean()))


def expected_range(n: int) -> float:
    """E(R/S) of n independent normal values (Anis & Lloyd), with Peters' factor."""
    i = np.arange(1, n)
    gammas = math.exp(gammaln((n - 1) / 2) - gammaln(n / 2)) / math.sqrt(math.pi)
    return (n - 0.5) / n * gammas * float(np.sqrt((n - i) / i).sum())


def rescaled_range(series: NDArray[np.float64], n: int) -> float:
    pieces = series[: len(series) // n * n].reshape(-1, n)
    profile = np.cumsum(pieces - pieces.mean(axis=1, keepdims=True), axis=1)
    return float(((profile.max(axis=1) - profile.min(axis=1)) / pieces.std(axis=1, ddof=1)).mean())


@pytest.mark.parametrize("time", [512, 700])
def test_both_are_what_their_definitions_say(time: int) -> None:
    series = fractional_gaussian(0.7, 3, time, 9)
    found = hurst(series)
    windows = [round(8 * (time / 80) ** (k / 3)) for k in range(4)]
    # The middle quarter of ln(time), in 15 steps.
    lengths = sorted({round(math.exp(math.log(time) * (0.375 + 0.25 * k / 15))) for k in range(15)})
    for member, row in enumerate(series.numpy()):
        dfa = np.polyfit(np.log(windows), np.log([fluctuation(row, window) for window in windows]), 1)[0]
        assert found.dfa[member].item() == pytest.approx(dfa, abs=1e-9)
        excess = [math.log(rescaled_range(row, n) / expected_range(n)) for n in lengths]
        # nolds replaces the gamma functions by their limit above 340, which these lengths do not reach.
        assert found.rs[member].item() == pytest.approx(0.5 + np.polyfit(np.log(lengths), excess, 1)[0], abs=1e-9)


@settings(deadline=None, max_examples=10)
@given(level=st.floats(-10, 10), scale=st.floats(0.01, 100), sign=st.sampled_from([-1, 1]))
def test_level_scale_and_sign_do_not_matter(level: float, scale: float, sign: int) -> None:
    series = white(1, 512, 10)
    changed = hurst(level + sign * scale * series)
    for before, after in zip(hurst(series), changed, strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-9)


def test_float32_says_the_same() -> None:
    series = 1 + 0.03 * white(4, 600, 11).float()
    for single, double in zip(hurst(series), hurst(series.double()), strict=True):
        assert single.dtype == torch.float64
        assert torch.equal(single, double)
    for single, double in zip(hurst(increments(series)), hurst(series.double().diff()), strict=True):
        torch.testing.assert_close(single, double, rtol=0, atol=1e-9)


def test_members_do_not_depend_on_their_population() -> None:
    series = white(3, 512, 12)
    together = hurst(series)
    alone = [hurst(series[member : member + 1]) for member in range(3)]
    assert torch.equal(together.rs, torch.cat([one.rs for one in alone]))
    assert torch.equal(together.dfa, torch.cat([one.dfa for one in alone]))


def once(caught: list[warnings.WarningMessage]) -> bool:
    return [issubclass(one.category, UnmeasurableWarning) for one in caught] == [True]


def test_what_cannot_be_measured_is_nan_for_that_member_only() -> None:
    series = white(5, 600, 13)
    good = hurst(series[4:])
    series[0, 3] = math.nan
    series[1, 3] = math.inf
    series[2] = 0.1
    series[3] = 0.1 + 1e-17 * white(1, 600, 14)[0]
    with pytest.warns(UnmeasurableWarning) as caught:
        found = hurst(series)
    assert once(caught.list)
    for field, alone in zip(found, good, strict=True):
        assert field[:4].isnan().all()
        assert torch.equal(field[4:], alone)


def test_below_512_values_nothing_is_said() -> None:
    assert hurst(white(1, 512, 0)).dfa.isfinite().all()
    for length in (511, 1, 0):
        with pytest.warns(UnmeasurableWarning) as caught:
            found = hurst(white(2, length, 0))
        assert once(caught.list)
        assert found.rs.isnan().all()
        assert found.dfa.isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_is_not_measured(dtype: torch.dtype) -> None:
    """The increments of a straight line differ by rounding alone, which would have an exponent like any noise."""
    line = torch.linspace(1, 0, 1025, dtype=torch.float64).to(dtype)
    series = torch.stack([line / 3, torch.full_like(line, 0.1), walk(1, 1025, 1)[0].to(dtype)])
    with pytest.warns(UnmeasurableWarning) as caught:
        found = hurst(increments(series))
    assert once(caught.list)
    assert found.dfa[:2].isnan().all()
    assert found.rs[:2].isnan().all()
    assert found.dfa[2].isfinite()


def test_increments_are_differences() -> None:
    series = walk(2, 20, 1)
    assert torch.equal(increments(series), series[:, 1:] - series[:, :-1])
    assert increments(series[:, :1]).shape == (2, 0)


def test_standing_still_adds_nothing_by_rounding() -> None:
    """0.1 minus the mean of many 0.1 is not zero, and its range over its own deviation is large."""
    still = torch.cat([torch.zeros(1, 700, dtype=torch.float64), white(1, 600, 15)], dim=1)
    still[:, 650:700] = 0.0
    for level in (0.1, 0.3):
        for moved, there in zip(hurst(still + level), hurst(still), strict=True):
            torch.testing.assert_close(moved, there, rtol=0, atol=1e-9)


def test_a_sliding_window_is_the_exponent_of_each_slice() -> None:
    series = white(2, 1500, 16)
    ends = [512, 900, 1500]
    found = sliding(series, 512, ends)
    assert found.dfa.shape == (2, 3)
    for number, end in enumerate(ends):
        there = hurst(series[:, end - 512 : end])
        assert torch.equal(found.rs[:, number], there.rs)
        assert torch.equal(found.dfa[:, number], there.dfa)


def test_ends_too_early_and_beyond_are_nan() -> None:
    with pytest.warns(UnmeasurableWarning) as caught:
        found = sliding(white(2, 1000, 17), 512, [511, 600, 1001])
    assert once(caught.list)
    assert found.dfa.isnan().tolist() == [[True, False, True]] * 2
    assert found.rs.isnan().tolist() == [[True, False, True]] * 2


def test_stretches_of_one_member() -> None:
    series = torch.cat([white(1, 600, 18)[0], walk(1, 700, 19)[0]])
    with pytest.warns(UnmeasurableWarning) as caught:
        found = on_stretches(series, [(0, 600), (100, 200), (600, 1300), (750, 1400), (-1200, -600)])
    assert once(caught.list)
    assert found.dfa.isnan().tolist() == [False, True, False, True, True]
    for stretch, (start, end) in {0: (0, 600), 2: (600, 1300)}.items():
        assert torch.equal(found.dfa[stretch], hurst(series[None, start:end]).dfa[0])
        assert torch.equal(found.rs[stretch], hurst(series[None, start:end]).rs[0])


def test_no_stretches() -> None:
    nothing: Hurst = on_stretches(white(1, 600, 0)[0], [])
    assert nothing.rs.shape == nothing.dfa.shape == (0,)
    assert sliding(white(3, 600, 0), 512, []).dfa.shape == (3, 0)


def shuffle_rejections(series: Tensor) -> Tensor:
    result = against_shuffles(series, Generator().manual_seed(0), draws=39)
    return (result.dfa.p_value <= 0.05).double().mean()


def test_memory_stands_out_from_shuffles_and_white_noise_does_not() -> None:
    # H = .8 is .3 above the null, at a spread of .06 to .07 each: 3.2 standard deviations, of which the extremes of 39
    # draws take 2.2. One in six may be missed; four in six or more would be once in 120 runs.
    assert shuffle_rejections(fractional_gaussian(0.8, 6, 512, 20)) >= 0.5
    # One in twenty by chance: three or more of eight have probability 0.006.
    assert shuffle_rejections(white(8, 512, 21)) <= 0.25


def test_the_null_of_shuffles_is_white_noise() -> None:
    result = against_shuffles(walk(2, 512, 22), Generator().manual_seed(1), draws=60)
    # .06 and .04 over sqrt(60): four standard errors and a bias of .02.
    assert ((result.dfa.surrogate_mean - 0.5).abs() < 0.02 + 0.031).all()
    assert ((result.rs.surrogate_mean - 0.5).abs() < 0.02 + 0.021).all()
    assert torch.equal(result.dfa.value, hurst(walk(2, 512, 22)).dfa)
    # The least there is: 2/(n + 1), two-sided.
    assert result.dfa.p_value.tolist() == pytest.approx([2 / 61] * 2)


def test_shuffles_of_what_cannot_be_measured() -> None:
    series = white(2, 512, 23)
    series[0, 5] = math.nan
    with pytest.warns(UnmeasurableWarning) as caught:
        result = against_shuffles(series, Generator().manual_seed(0), draws=3)
    assert once(caught.list)
    assert result.dfa.p_value.isnan().tolist() == [True, False]
    assert result.rs.p_value.isnan().tolist() == [True, False]


def test_nolds_is_imported_in_silence() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", "import badger_sweeps.measures.dynamics._nolds"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
