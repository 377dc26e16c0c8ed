"""Oscillations of the inner loop: the number of oscillating modes beside surrogates, and the power to detect one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from badger_sweeps.measures.dynamics._spectrum import RULE, ModeSpectrum, can_be_decomposed, check_rank
from badger_sweeps.measures.dynamics.surrogates import AgainstSurrogates, compare_with_surrogates
from badger_sweeps.measures.unmeasurable import warn_unmeasurable

POWER = 0.8
"""The share of injected modes that must be detected before the absence of modes can be concluded."""
INJECTED_MODULUS = 0.975
"""The middle of the moduli of sustained modes (`_spectrum.MODULUS`)."""


class Oscillations(NamedTuple):
    """The number of oscillating modes beside surrogates, and the power to detect one."""

    oscillating: AgainstSurrogates
    """Number of oscillating modes, beside that of the same states in random order of time; p is one-sided (greater)."""
    largest_surrogate: Float[Tensor, " population"]
    """The largest number among surrogates."""
    power: Float[Tensor, " population"]
    """Share of injected oscillating modes that were detected."""

    @property
    def none(self) -> Bool[Tensor, " population"]:
        """Whether there are no oscillating modes: no more than surrogates have, at a power of at least 0.8.

        False where nothing could be measured.
        """
        return (self.oscillating.value <= self.largest_surrogate) & (self.power >= POWER)


def oscillations(
    states: Float[Tensor, "population game step variable"],
    generator: Generator,
    draws: int = 19,
    injections: int = 5,
    injected_share: float = 0.05,
    svd_rank: int = 0,
) -> Oscillations:
    """The number of oscillating modes beside that of time-shuffled surrogates, and the power to detect one.

    The number is that of `modes`, the power that of `power_to_find`. Surrogates have the steps of every game in random
    order. With 19 of them a number above all others has p = 0.05.
    The cost is draws + injections + 1 decompositions per member.

    Args:
        states: as in `modes`.
        generator: draws surrogates and injections; all members get the same orders, directions and phases.
        draws: number of surrogates.
        injections: number of injected modes.
        injected_share: share of the energy in each injected mode.
        svd_rank: 0 for the hard threshold, or a rank.

    Returns:
        See `Oscillations`. NaN, with one warning, for members that `modes` cannot measure.
    """
    check_rank(svd_rank)
    if not can_be_decomposed(states).all():
        warn_unmeasurable("oscillations of the inner loop", RULE, "a member without")
    value = _counts(states, svd_rank)
    null = torch.stack([_counts(_time_shuffled(states, generator), svd_rank) for _ in range(draws)])
    power = _power(states, generator, injections, injected_share, svd_rank)
    return Oscillations(compare_with_surrogates(value, null, "greater"), null.amax(dim=0), power)


def power_to_find(
    states: Float[Tensor, "population game step variable"],
    generator: Generator,
    injections: int = 5,
    share: float = 0.05,
    svd_rank: int = 0,
) -> Float[Tensor, " population"]:
    """The power to detect an oscillating mode: the share of synthetic modes, added to the states, that are detected.

    Each is Re(c_g lambda^t v) with |lambda| = 0.975, a random argument at least pi/T inside (2 pi/T, pi), a random
    complex direction v and a random complex amplitude c_g per game, and has `share` of the energy about the mean.
    It is detected if an oscillating eigenvalue lies within 2 pi/T of its argument, the resolution of T steps. That
    eigenvalue needs only half of the injected share: with a threshold equal to the injected share, half of the modes
    would be missed, however good the estimate.

    Returns:
        Between 0 and 1. NaN, with one warning, for members that `modes` cannot measure.
    """
    check_rank(svd_rank)
    if not can_be_decomposed(states).all():
        warn_unmeasurable("power to find oscillations", RULE, "a member without")
    return _power(states, generator, injections, share, svd_rank)


def _counts(states: Float[Tensor, "population game step variable"], svd_rank: int) -> Float[Tensor, " population"]:
    usable = can_be_decomposed(states).tolist()
    arrays = states.detach().double().cpu().numpy()
    counts = [
        float(ModeSpectrum(arrays[member], svd_rank).oscillates().sum()) if ok else math.nan
        for member, ok in enumerate(usable)
    ]
    return torch.tensor(counts, dtype=torch.float64, device=states.device)


def _time_shuffled(
    states: Float[Tensor, "population game step variable"], generator: Generator
) -> Float[Tensor, "population game step variable"]:
    """The states with the steps of every game in another random order."""
    games, steps = states.shape[1:3]
    order = torch.rand(games, steps, generator=generator, device=generator.device).argsort(dim=1).to(states.device)
    return states[:, torch.arange(games, device=states.device)[:, None], order]


def _power(
    states: Float[Tensor, "population game step variable"],
    generator: Generator,
    injections: int,
    share: float,
    svd_rank: int,
) -> Float[Tensor, " population"]:
    usable = can_be_decomposed(states).tolist()
    found = torch.zeros(states.shape[0], injections, dtype=torch.float64)
    for number in range(injections):
        with_mode, argument = _injected(states.double(), share, generator)
        for member, array in enumerate(with_mode.detach().cpu().numpy()):
            if usable[member]:
                spectrum = ModeSpectrum(array, svd_rank)
                near = np.abs(np.angle(spectrum.eigenvalues) - argument) < spectrum.resolution
                found[member, number] = bool((near & spectrum.oscillates(share / 2)).any())
            else:
                found[member, number] = math.nan
    return found.mean(dim=1).to(states.device)


def _injected(
    states: Float[Tensor, "population game step variable"], share: float, generator: Generator
) -> tuple[Float[Tensor, "population game step variable"], float]:
    """The states plus an oscillation that has `share` of the energy, and its argument."""
    games, steps, variables = states.shape[1:]

    def draw(size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.complex128, device=generator.device)

    resolution = 2 * math.pi / (steps - 1)
    between = float(torch.rand((), generator=generator, dtype=torch.float64, device=generator.device))
    argument = 1.5 * resolution + between * (math.pi - 2 * resolution)
    eigenvalue = torch.tensor(INJECTED_MODULUS * np.exp(1j * argument), device=generator.device)
    course = eigenvalue ** torch.arange(steps, device=generator.device)
    wave = torch.einsum("g,t,v->gtv", draw(games), course, draw(variables)).real.to(states.device)
    energy = (states - states.mean(dim=(1, 2), keepdim=True)).square().sum(dim=(1, 2, 3), keepdim=True)
    return states + wave * (share / (1 - share) * energy / wave.square().sum()).sqrt(), argument
