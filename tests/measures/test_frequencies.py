"""Spectra of sines, times of curves and orders of times that are known."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import Tensor

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.measures.frequencies import spectrum
from badger_sweeps.measures.unmeasurable import UnmeasurableWarning
from badger_sweeps.tasks.frequency import Frequency


def targets_of(dims: int, games: int, phases: str = "independent", population: int = 1, seed: int = 0) -> Tensor:
    task = Frequency(dims=dims, phases=phases)  # type: ignore[arg-type]
    return task.draw(games, RandomBatches.of(range(seed, seed + population), Purpose.TARGETS)).targets.double()


def band(samples: Tensor, frequencies: list[int]) -> Tensor:
    """The part of the samples at some frequencies, by projection on sines and cosines."""
    dims = samples.shape[-1]
    angles = 2 * math.pi * torch.outer(torch.tensor(frequencies), torch.arange(dims)).double() / dims
    basis = torch.cat([angles.sin(), angles.cos()]) * math.sqrt(2 / dims)
    return samples @ basis.T @ basis


def once(found: list[warnings.WarningMessage]) -> bool:
    return [item.category for item in found] == [UnmeasurableWarning]


@pytest.mark.parametrize("phases", ["common", "independent"])
@pytest.mark.parametrize(("dims", "frequencies"), [(41, 10), (11, 5), (40, 10)])
def test_error_is_in_band_and_out_of_band(dims: int, frequencies: int, phases: str) -> None:
    """Parseval: 3*MSE = mean_k error_k + out_of_band, for any guess. The targets are float32: their mean square is 1/3
    and their amplitudes equal to 1e-6."""
    targets = targets_of(dims, 50, phases, population=3)
    guesses = (
        targets * 0.7 + 0.4 * torch.randn(targets.shape, generator=torch.Generator().manual_seed(1)).double() + 0.1
    )
    found = spectrum(guesses, targets, frequencies)
    mse = (guesses - targets).square().mean(dim=(1, 2))
    torch.testing.assert_close(found.error.mean(dim=1) + found.out_of_band, 3 * mse, rtol=5e-6, atol=0)


@pytest.mark.parametrize("solved", range(6))
def test_solved_frequencies_are_told_from_absent_ones(solved: int) -> None:
    """1 - j/K with j of K solved; .6 for 2 of 5."""
    targets = targets_of(11, 20)
    wanted = torch.tensor([[1.0] * solved + [0.0] * (5 - solved)]).double()
    guesses = band(targets, list(range(1, solved + 1)))
    found = spectrum(guesses, targets, 5)
    for value, truth in [
        (found.coherent, wanted),
        (found.amplitude, wanted),
        (found.error, 1 - wanted),
        (found.quadrature, 0 * wanted),
    ]:
        torch.testing.assert_close(value, truth, atol=1e-5, rtol=0)
    assert found.error.mean().item() + found.out_of_band.item() == pytest.approx(1 - solved / 5, abs=1e-5)
    assert found.out_of_band.item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shift", [0.3, math.pi / 2, math.pi, -1.0])
def test_a_wrong_phase_shows_in_the_coherent_ratio_alone(shift: float) -> None:
    """sin(x + phi + shift) for sin(x + phi): rho = e^(i shift), amplitude 1, error |e^(i shift) - 1|^2."""
    x = 2 * math.pi * torch.arange(41).double() / 41
    phases = torch.linspace(0, 6, 30).double()[:, None, None]
    k = torch.arange(1, 11).double()[:, None]

    def wave(shift: float) -> Tensor:
        return (0.8 * (k * x + phases + shift).sin()).sum(dim=1)[None]

    found = spectrum(wave(shift), wave(0), 10)
    ones = torch.ones(1, 10, dtype=torch.float64)
    torch.testing.assert_close(found.coherent, ones * math.cos(shift))
    torch.testing.assert_close(found.quadrature, ones * math.sin(shift))
    torch.testing.assert_close(found.amplitude, ones)
    torch.testing.assert_close(found.error, ones * (2 - 2 * math.cos(shift)))


def test_noise_has_an_amplitude_but_no_coherence() -> None:
    """Noise of deviation .5 against sines of amplitude 1, N = 41: |Yhat| is Rayleigh, so the ratio is
    s*sqrt(pi/N) = .138, and the deviation of rho is s*sqrt(2/(N*games))."""
    games, members, deviation = 1000, 20, 0.5
    targets = targets_of(41, games, population=members) / Frequency(dims=41).amplitude
    noise = deviation * torch.randn(targets.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = spectrum(noise, targets, 10)
    rayleigh = deviation * math.sqrt(math.pi / 41)
    # 200000 ratios, each with the Rayleigh's relative deviation of sqrt(4/pi - 1) = .52: four deviations of the mean.
    assert found.amplitude.mean().item() == pytest.approx(rayleigh, rel=4 * 0.52 / math.sqrt(members * games * 10))
    spread = deviation * math.sqrt(2 / (41 * games))
    values = torch.cat([found.coherent, found.quadrature]).flatten()
    assert abs(values.mean().item()) < 4 * spread / math.sqrt(len(values))
    # A deviation estimated from n values is itself 1/sqrt(2n) uncertain.
    assert values.std().item() == pytest.approx(spread, rel=4 / math.sqrt(2 * len(values)))


def test_each_member_for_itself_and_in_either_precision() -> None:
    targets = targets_of(41, 30, population=4)
    guesses = targets + 0.3 * torch.randn(targets.shape, generator=torch.Generator().manual_seed(2))
    together = spectrum(guesses, targets, 10)
    single = spectrum(guesses.float(), targets.float(), 10)
    for name, values in together._asdict().items():
        alone = torch.cat([getattr(spectrum(guesses[[p]], targets[[p]], 10), name) for p in range(4)])
        torch.testing.assert_close(values, alone, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(getattr(single, name), values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dims", "frequencies"), [(41, 21), (40, 20), (11, 0)])
def test_frequencies_beyond_nyquist_are_refused(dims: int, frequencies: int) -> None:
    with pytest.raises(ValueError, match="frequencies"):
        spectrum(torch.ones(1, 2, dims), torch.ones(1, 2, dims), frequencies)


def test_what_has_no_spectrum() -> None:
    """Member 0 is whole; 1, 2 and 4 hold NaN or infinity; 3 lacks frequency 2 in one game."""
    targets = targets_of(11, 20, population=5)
    guesses = targets.clone()
    guesses[1, 3, 2], targets[2, 0, 0], guesses[4, 7, 5] = torch.nan, torch.inf, -torch.inf
    targets[3, 5] = targets[3, 5] - band(targets[3, 5], [2])
    with pytest.warns(UnmeasurableWarning, match="spectrum") as found:
        measured = spectrum(guesses.float(), targets.float(), 5)
    assert once(list(found))
    for values in measured:
        assert values[0].isfinite().all()
        assert values[[1, 2, 4]].isnan().all()
    assert measured.amplitude[3].isnan().tolist() == [False, True, False, False, False]
    assert measured.out_of_band[3].isfinite()
    with pytest.warns(UnmeasurableWarning):
        assert all(values.isnan().all() for values in spectrum(torch.ones(2, 0, 11), torch.ones(2, 0, 11), 5))
