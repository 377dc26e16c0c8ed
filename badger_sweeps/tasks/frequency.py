"""The frequency task: guess the samples of a sum of sines whose phase is drawn anew in each game."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from scipy.special import j0
from torch import Tensor

from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.settings import broken_rule, settings
from badger_sweeps.tasks.base import Questions, Task

DEFAULT_FREQUENCIES = 10
FOURIER_TERMS = 200_000
"""The number of terms of the series for E|y|; the remainder is below 1e-8."""


@settings
class Frequency(Task):
    """y_i = A * sum_k sin(2*pi*k*x_i + phi), k = 1..K, at x_i = i/N, i = 0..N-1, with phi ~ U[0, 2*pi) in each game.

    A = sqrt(2/(3K)) makes the mean square exactly 1/3 in every game, as on the Guessing Game. The discrete Fourier
    transform of y has magnitude N*A/2 at each k, and a guess with j of the K frequencies right and nothing else in it
    has the normalised squared error 1 - j/K.

    Args:
        dims: N, the number of samples (document: 41, and 11 for Micro-Badger).
        frequencies: K, at most (N-1)/2; null: 10, or as many as N allows (5 for N = 11).
        phases: ``common``, one phi for all k (the document); all targets then lie in a plane, since
            y = cos(phi)*s + sin(phi)*c with fixed s and c, and at x = 0 the amplitudes add up. ``independent``, a phi_k
            for each k: 2K numbers to find.

    A supervised learner reads x_i and the cosine and sine of each phase.

    Source: the document, whose formula is lost; reconstructed after Rahaman et al. 2019 and Rabinowitz 2019.
    """

    dims: Annotated[int, Field(ge=3, le=1000)] = 41
    frequencies: Annotated[int, Field(ge=1)] | None = None
    phases: Literal["common", "independent"] = "common"

    @model_validator(mode="after")
    def _below_nyquist(self) -> Frequency:
        if self.parts > (self.dims - 1) // 2:
            raise broken_rule(
                "frequencies", "must be at most ({dims} - 1)/2", frequencies=self.frequencies, dims=self.dims
            )
        return self

    @property
    def parts(self) -> int:
        return self.frequencies or min(DEFAULT_FREQUENCIES, (self.dims - 1) // 2)

    @property
    def inputs(self) -> int:
        return 3 if self.phases == "common" else 1 + 2 * self.parts

    @property
    def amplitude(self) -> float:
        """A, the amplitude of each sine."""
        return math.sqrt(2 / (3 * self.parts))

    @cached_property
    def _waves(self) -> tuple[Float[Tensor, "phase dim"], Float[Tensor, "phase dim"]]:
        """A*sin(2*pi*k*x) and A*cos(2*pi*k*x), summed over those k that have one phase.

        k*i is reduced modulo N first, to be exact.
        """
        turns = torch.outer(torch.arange(1, self.parts + 1), torch.arange(self.dims)) % self.dims
        angles = 2 * math.pi / self.dims * turns.double()
        sines, cosines = self.amplitude * angles.sin(), self.amplitude * angles.cos()
        if self.phases == "common":
            sines, cosines = sines.sum(dim=0, keepdim=True), cosines.sum(dim=0, keepdim=True)
        return sines.float(), cosines.float()

    def draw(self, games: int, random: RandomBatches) -> Questions:
        device = random.device
        phases = random.uniform(games, 1 if self.phases == "common" else self.parts)
        cosines, sines = torch.cos(2 * math.pi * phases), torch.sin(2 * math.pi * phases)
        sine_waves, cosine_waves = (waves.to(device) for waves in self._waves)
        # sin(a + phi) = sin(a)cos(phi) + cos(a)sin(phi). One phase after another: rounding in a product of matrices
        # would depend on how many games are drawn together.
        targets = torch.zeros(len(random), games, self.dims, device=device)
        for k, (sine, cosine) in enumerate(zip(sine_waves, cosine_waves, strict=True)):
            targets += cosines[..., k : k + 1] * sine
            targets += sines[..., k : k + 1] * cosine
        phase = torch.cat([cosines, sines], dim=-1)[:, :, None].expand(-1, -1, self.dims, -1)
        positions = (torch.arange(self.dims, device=device) / self.dims)[:, None].expand(len(random), games, -1, 1)
        return Questions(targets, torch.cat([positions, phase], dim=-1))

    def absolute_moment(self, order: int) -> float:
        """1/3 for order 2, whatever the phases; for order 1 see `mean_magnitude`."""
        return 1 / 3 if order == 2 else self.mean_magnitude

    @cached_property
    def mean_magnitude(self) -> float:
        """E|y|, averaged over samples.

        Under a common phase sample i is a sine of amplitude A*|sin(pi*K*x_i) / sin(pi*x_i)| (the Dirichlet kernel),
        and E|sin| = 2/pi. Under independent phases each sample is a sum S of K sines, bounded by L = K*A; the
        Fourier series of |s| on [-L, L] and E cos(t*S) = J0(A*t)^K give
        E|S| = L/2 - (4*L/pi^2) * sum over odd n of J0(n*pi/K)^K / n^2.
        """
        most = self.parts * self.amplitude
        if self.phases == "common":
            angles = np.pi / self.dims * np.arange(1, self.dims)
            others = np.abs(np.sin(self.parts * angles) / np.sin(angles)).sum() * self.amplitude
            return float(2 / math.pi * (most + others) / self.dims)
        odd = np.arange(1, FOURIER_TERMS, 2, dtype=float)
        series = (j0(odd * math.pi / self.parts) ** self.parts / odd**2).sum()
        return float(most / 2 - 4 * most / math.pi**2 * series)

    def game_variance(self, order: int) -> float:
        """See `Task.game_variance`; derived here. At chance squares do not vary; they do if one quadrature is solved.

        With one quadrature of a common phase solved the squared error is sin(phi)^2, of variance 1/8 around its mean
        1/2. The other bounds are rounded up from the largest variance found over random subspaces and solved
        quadratures (0.24 and 0.25/K).
        """
        if self.phases == "independent":
            return 1 / (4 * self.parts)
        return 1 / 8 if order == 2 else 1 / 4
