"""The declared noise floor: how exactly states are read, without which deterministic states share infinite bits."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

NOISE = 0.01
"""s^2, the variance of the noise relative to each component's own."""


def with_noise_floor(
    states: Float[Tensor, "*batch game expert component"],
    noise: Float[Tensor, "*batch game expert component"],
    share: float = NOISE,
) -> Float[Tensor, "*batch game expert component"]:
    """Each component plus independent noise of variance `share` times its own variance over games.

    What is measured afterwards is the information in states read with that precision. Identical Gaussian states then
    share `saturation(share)` bits per component, 2.83 at s^2 = 0.01, instead of infinitely many. Constant components
    stay constant; NaN stays NaN.

    Args:
        states: to be read.
        noise: standard normal numbers, drawn by the caller: the same ones at every measurement, so that a measure
            does not move when the states do not.
        share: s^2.
    """
    varies = (states != states[..., :1, :, :]).any(dim=-3, keepdim=True)  # rounding gives constants a variance
    variance = torch.where(varies, states.var(dim=-3, keepdim=True), 0.0)
    return states + noise * (share * variance).sqrt()


def saturation(share: float = NOISE) -> float:
    """The mutual information of two readings of one Gaussian number, -log2(1 - 1/(1 + s^2)^2)/2, in bits."""
    return -math.log2(1 - 1 / (1 + share) ** 2) / 2


def noise_entropy(variables: int, share: float = NOISE) -> float:
    """The entropy of the noise in `variables` components after they are standardised, in bits.

    ``variables``/2 * log2(2 pi e s^2/(1 + s^2)): a residual entropy of this size is noise alone.
    """
    return variables / 2 * math.log2(2 * math.pi * math.e * share / (1 + share))
