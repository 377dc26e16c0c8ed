"""The noise floor: noise that is added to states, since deterministic states share infinitely many bits."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

NOISE = 0.01
"""s^2, the variance of the noise relative to that of each component."""


def with_noise_floor(
    states: Float[Tensor, "*batch game expert component"],
    noise: Float[Tensor, "*batch game expert component"],
    share: float = NOISE,
) -> Float[Tensor, "*batch game expert component"]:
    """States plus independent noise; its variance is `share` times that of each component over games.

    Measures of the result are those of states known with that precision. Identical Gaussian states then share
    `saturation(share)` bits per component, 2.83 at s^2 = 0.01, instead of infinitely many. Constant components stay
    constant; NaN stays NaN.

    Args:
        states: of the experts.
        noise: standard normal numbers, drawn by the caller: the same ones at every measurement, so that a measure
            does not change when the states do not.
        share: s^2.
    """
    varies = states.amax(dim=-3, keepdim=True) != states.amin(
        dim=-3, keepdim=True
    )  # rounding can give constants a variance
    deviations = states - states.mean(dim=-3, keepdim=True)
    variance = torch.where(varies, deviations.square_().sum(dim=-3, keepdim=True) / (states.shape[-3] - 1), 0.0)
    return states + noise * (share * variance).sqrt()


def saturation(share: float = NOISE) -> float:
    """The mutual information of two noisy copies of a Gaussian number, -log2(1 - 1/(1 + s^2)^2)/2, in bits."""
    return -math.log2(1 - 1 / (1 + share) ** 2) / 2


def noise_entropy(variables: int, share: float = NOISE) -> float:
    """The entropy of the noise in standardised components, ``variables``/2 * log2(2 pi e s^2/(1 + s^2)), in bits.

    A residual entropy of this size is that of noise only.
    """
    return variables / 2 * math.log2(2 * math.pi * math.e * share / (1 + share))
