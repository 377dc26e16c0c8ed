"""Higher-order information of experts' outputs: binding information, total correlation, O-information."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.copula import Copula


class HigherOrderInformation(NamedTuple):
    """Parts of the joint entropy H of n experts, in bits."""

    binding: Float[Tensor, "*batch"]
    """B = H - R, the dual total correlation: the entropy that two or more experts share."""
    total_correlation: Float[Tensor, "*batch"]
    """TC = sum of H(X_i) - H."""
    residual_entropy: Float[Tensor, "*batch"]
    """R = sum of H(X_i | all others). It is differential: compare it with `noise.noise_entropy`."""
    o_information: Float[Tensor, "*batch"]
    """TC - B: above 0 redundancy dominates, below 0 synergy."""
    joint_entropy: Float[Tensor, "*batch"]
    """H; it is differential like R."""


def higher_order_information(
    outputs: Float[Tensor, "*batch game expert dim"],
    given: Float[Tensor, "*#batch game target"] | Conditions | None = None,
) -> HigherOrderInformation:
    """Binding information, total correlation and O-information by the Gaussian copula, corrected for bias.

    B, TC and O-information do not change under invertible maps of single experts; H and R do. B rises without any
    communication when the loss falls: n outputs that are the target plus independent noise of relative variance s have
    the B of equicorrelated variables at 1/(1 + s). To remove that part, pass the targets as `given`: B is then 0 if
    targets are Gaussian, and several times smaller if not (`conditioning.residuals_given` has figures).

    Units: bits. Samples: 1000 games for 16 experts with 4 outputs. Bias there: none seen for independent outputs; B, TC
    and O-information fall short by 1 % or less where all are correlated by up to 0.99, and H and R are too high by as
    much as TC is too low. Standard deviation of B: 0.05 bits if independent (1.4 at 100 games), 0.09 if correlated. NaN
    with a warning for fewer games than variables + 2, or where an output is constant, not finite or a function of
    others. Zero for one expert.

    Args:
        outputs: of every expert after one inner step, with a noise floor. More than four dimensions should be reduced
            (`reduction.project`). Axes before the games (members, inner steps) are a batch.
        given: numbers to condition on, the games' targets.

    Source: Rosas et al. 2018, Entropy 20:793 (binding information); Rosas et al. 2019, Phys. Rev. E 100:032305
    (O-information); Han 1978 (dual total correlation).
    """
    copula = Copula.of(outputs, given)
    joint = copula.joint_entropy
    residual = (joint[..., None] - copula.entropy_without_each).sum(dim=-1)
    total = copula.entropy(torch.arange(copula.experts)[:, None]).sum(dim=-1) - joint
    binding = joint - residual
    return HigherOrderInformation(binding, total, residual, total - binding, joint)
