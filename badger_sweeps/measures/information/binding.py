"""How experts' outputs hang together: binding information, total correlation, residual entropy, O-information."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.copula import Copula


class HigherOrderInformation(NamedTuple):
    """The parts of the joint entropy H of n experts. All in bits."""

    binding: Float[Tensor, "*batch"]
    """B = H - R, the dual total correlation: the entropy that two or more experts share."""
    total_correlation: Float[Tensor, "*batch"]
    """TC = sum of H(X_i) - H."""
    residual_entropy: Float[Tensor, "*batch"]
    """R = sum of H(X_i | all others): what each has to itself. Differential: compare with `noise.noise_entropy`."""
    o_information: Float[Tensor, "*batch"]
    """TC - B: above 0 redundancy prevails, below 0 synergy."""
    joint_entropy: Float[Tensor, "*batch"]
    """H, differential as R is."""


def higher_order_information(
    outputs: Float[Tensor, "*batch game expert dim"],
    given: Float[Tensor, "*#batch game target"] | Conditions | None = None,
) -> HigherOrderInformation:
    """Binding information and its companions, by the Gaussian copula with every entropy corrected for bias.

    B, TC and O-information are unchanged by invertible maps of single experts, H and R are not. B rises by itself as
    the loss falls: n outputs that are the target plus private noise of relative variance s have the B of equicorrelated
    variables at 1/(1 + s), with no communication at all. Give the targets as `given` to take that out: it is then 0 if
    targets are Gaussian, and several times smaller if not (`copula.Copula.of` has an example).

    Units: bits. Samples: 1000 games for 16 experts with 4 outputs. Bias there: none seen for independent outputs; B, TC
    and O-information fall short by 1 % or less where all are correlated by up to 0.99, and H and R are too high by what
    TC lacks. Standard deviation of B: 0.05 bits if independent (1.4 at 100 games), 0.09 if correlated. NaN with a
    warning below two more than variables, or where an output is constant, not finite or a function of others. Zero with
    one expert.

    Args:
        outputs: of every expert, one inner step, read with a noise floor. More than four dimensions should be reduced
            (`reduction.project`). Axes before the games (members, inner steps) are a batch.
        given: what is conditioned on, the games' targets.

    Source: Rosas et al. 2018, Entropy 20:793 (binding information); Rosas et al. 2019, Phys. Rev. E 100:032305
    (O-information); Han 1978 (dual total correlation).
    """
    copula = Copula.of(outputs, given)
    joint = copula.joint_entropy
    residual = (joint[..., None] - copula.entropy_without_each).sum(dim=-1)
    total = copula.entropy(torch.arange(copula.experts)[:, None]).sum(dim=-1) - joint
    binding = joint - residual
    return HigherOrderInformation(binding, total, residual, total - binding, joint)
