"""The spectrum of guesses against targets on the frequency task."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.unmeasurable import warn_unmeasurable

PRESENT = 1e-6
"""The least share of a target's total magnitude at a frequency that it contains; rounding of float32 leaves less."""


class FrequencySpectrum(NamedTuple):
    """Guesses against targets at the frequencies k = 1..K (column k - 1); a row for each member; dimensionless."""

    coherent: Float[Tensor, "population frequency"]
    """Real part of rho_k: 1 where solved; 0 at chance, for noise and for a phase that is off by a quarter period."""
    quadrature: Float[Tensor, "population frequency"]
    """Imaginary part of rho_k: positive where the guess leads in phase."""
    amplitude: Float[Tensor, "population frequency"]
    """<|Yhat_k/Y_k|>: does not depend on phase, is above 0 for noise, and may exceed 1."""
    error: Float[Tensor, "population frequency"]
    """<|Yhat_k/Y_k - 1|^2>: 0 where solved, 1 for a guess without this frequency."""
    out_of_band: Float[Tensor, " population"]
    """The share of the normalised error at frequency 0 and at frequencies above K."""


def spectrum(
    guesses: Float[Tensor, "population game dim"], targets: Float[Tensor, "population game dim"], frequencies: int
) -> FrequencySpectrum:
    """The spectrum of the guesses relative to that of the targets; dimensionless.

    Y is the discrete Fourier transform over the N dims (samples at x_i = i/N), <> the mean over games, and
    rho_k = sum_g Yhat_k conj(Y_k) / sum_g |Y_k|^2. For targets of K sines of one amplitude, Parseval's theorem gives
    MSE / <y^2> = mean_k error_k + out_of_band, which is 3*MSE on the frequency task; j frequencies solved and the rest
    absent make 1 - j/K.

    Noise in the guess does not bias rho_k; noise of standard deviation s per sample gives it the standard deviation
    s*sqrt(2/(N*games))/A for sines of amplitude A. The amplitude ratio is biased: such noise alone has the ratio
    s*sqrt(pi/N)/A (0.14 for s = 0.5, A = 1, N = 41), and a guess with a wrong phase has 1.

    Args:
        guesses: of one iteration, after the last inner step.
        targets: sums of sines whose frequencies are whole numbers of periods over the N dims.
        frequencies: K, at most (N - 1)/2.

    Returns:
        All NaN for a member with NaN or infinity; NaN at a frequency that one of its targets does not contain. The
        least number of games is 1.

    Source: Rahaman et al. 2019 (amplitude), Rabinowitz 2019 (coherent ratio); reconstructed.
    """
    games, dims = targets.shape[1:]
    if not 1 <= frequencies <= (dims - 1) // 2:
        raise ValueError(f"frequencies must be 1 to (dims - 1)/2; found frequencies={frequencies}, dims={dims}")
    if games == 0:  # the transform does not take zero games; one game of NaN gives NaN
        guesses = targets = targets.new_full((len(targets), 1, dims), torch.nan)
    guess, target = (torch.fft.fft(samples.detach().double(), dim=-1) for samples in (guesses, targets))
    total = target.abs().square().sum(dim=-1)
    outside = torch.tensor([0, *range(frequencies + 1, dims - frequencies)], device=target.device)
    out_of_band = (guess - target)[..., outside].abs().square().sum(dim=(1, 2)) / total.sum(dim=1)

    guess, target = guess[..., 1 : frequencies + 1], target[..., 1 : frequencies + 1]
    rho = (guess * target.conj()).sum(dim=1) / target.abs().square().sum(dim=1)
    ratio = guess / target

    contained = (target.abs() > PRESENT * total.sqrt()[..., None]).all(dim=1)
    finite = (guesses.isfinite() & targets.isfinite()).all(dim=(1, 2))
    measured = contained & finite[:, None]
    if not measured.all():
        rule = "needs games, finite guesses, and targets that hold every frequency"
        warn_unmeasurable("spectrum", rule, "members without")
    return FrequencySpectrum(
        coherent=torch.where(measured, rho.real, torch.nan),
        quadrature=torch.where(measured, rho.imag, torch.nan),
        amplitude=torch.where(measured, ratio.abs().mean(dim=1), torch.nan),
        error=torch.where(measured, (ratio - 1).abs().square().mean(dim=1), torch.nan),
        out_of_band=torch.where(finite, out_of_band, torch.nan),
    )
