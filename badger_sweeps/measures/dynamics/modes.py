"""Linear modes of the inner loop, by dynamic mode decomposition."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from badger_sweeps.measures.dynamics._spectrum import RULE, ModeSpectrum, can_be_decomposed, check_rank, held_out_r2
from badger_sweeps.measures.unmeasurable import warn_unmeasurable


class Modes(NamedTuple):
    """The modes of each member, by falling energy; NaN beyond a member's rank."""

    eigenvalues: Complex[Tensor, "population mode"]
    """The factor by which one step multiplies the mode; complex ones come in conjugate pairs."""
    modulus: Float[Tensor, "population mode"]
    """|eigenvalue|: the mode is sustained at 1, decays below and grows above."""
    argument: Float[Tensor, "population mode"]
    """The eigenvalue's angle in radians per step, within [-pi, pi]."""
    share: Float[Tensor, "population mode"]
    """Energy of the mode over that of the states about their mean; each of a conjugate pair has that of the pair."""
    rank: Float[Tensor, " population"]
    """Number of eigenvalues; a conjugate pair counts as two."""
    oscillating: Float[Tensor, " population"]
    """Number of oscillating modes; a conjugate pair counts as one."""
    r2: Float[Tensor, " population"]
    """R^2 of the prediction of one step on held-out games."""
    persistence_r2: Float[Tensor, " population"]
    """R^2 of the prediction that nothing changes, on the same games."""


def modes(states: Float[Tensor, "population game step variable"], svd_rank: int = 0) -> Modes:
    """The dynamic modes of the inner loop: eigenvectors of A in h_{t+1} = A h_t, fitted to all games (`pydmd.DMD`).

    X = [h_0 .. h_{T-1}] and Y = [h_1 .. h_T] are concatenated over games. No mean is subtracted: without the mean of a
    short trajectory the result is its Fourier transform, all moduli 1 (Chen, Tu & Rowley 2012). A fixed point that all
    games share is therefore one of the modes, with eigenvalue 1. The rank is cut at the optimal hard threshold (Gavish
    & Donoho 2014), since at full rank pure decay has a dozen spurious complex modes; the threshold follows from the
    median singular value, so there must be at least twice as many variables as modes.

    A mode's energy is the squared norm, summed over games and steps, of its contribution to h; the two of a conjugate
    pair count together, since only their sum is real. Its share is relative to the sum of |h - m|^2, where m is the
    mean over games and steps, so that a constant offset does not hide changes. Modes are not orthogonal and partly
    cancel where many eigenvalues lie near 1, so a share may exceed 1 and shares may sum to 30; relative to that sum
    instead, an oscillation of 5 % that was added to a random tanh network was measured as 0.1 to 2 %. An *oscillating*
    mode has |argument| > 2 pi/T (more than one period in T steps), 0.9 <= modulus <= 1.05 and a share above 5 %. A
    conjugate pair counts once, and so does a negative real eigenvalue (a period of two steps). Noise that is not fed
    back into the dynamics biases moduli towards 0.

    R^2 = 1 - sum |h_{t+1} - A h_t|^2 / sum |h_{t+1} - m|^2, with A fitted on the first half of the games and the
    sums taken over the second; m is the mean of h_{t+1} over those games and steps, one value per variable. Only the
    part above `persistence_r2`, the same with h_t as prediction, shows that A predicts the dynamics.

    On one core, 512 variables and 20 steps take about 0.5 s per member with 32 games and 0.9 s with 64; both are
    enough.

    Args:
        states: h_0 .. h_T of every game, the states of all experts flattened; the games must be independent.
        svd_rank: 0 for the hard threshold, or a rank.

    Returns:
        Per step; real fields float64, eigenvalues complex128. NaN, with one warning, for members with fewer than 4
        games, 7 steps (h_0 among them) or 2 variables, or with states that are not finite or, up to h_{T-1}, all
        equal. Only R^2 is NaN where the states of the second half are all equal or those of the first half are all 0.

    Source: Schmid 2010.
    """
    check_rank(svd_rank)
    usable = can_be_decomposed(states)
    if not usable.all():
        warn_unmeasurable("modes of the inner loop", RULE, "a member without")
    arrays = states.detach().double().cpu().numpy()
    spectra = [ModeSpectrum(arrays[member], svd_rank) if ok else None for member, ok in enumerate(usable.tolist())]
    shape = (len(arrays), max((len(one.share) for one in spectra if one), default=0))
    eigenvalues = np.full(shape, complex(math.nan, math.nan))
    share = np.full(shape, math.nan)
    numbers = np.full((4, len(arrays)), math.nan)
    for member, one in enumerate(spectra):
        if one:
            rank = len(one.share)
            eigenvalues[member, :rank], share[member, :rank] = one.eigenvalues, one.share
            numbers[:, member] = (rank, one.oscillates().sum(), *held_out_r2(arrays[member], svd_rank))
    found = torch.from_numpy(eigenvalues).to(states.device)
    shares, of_members = torch.from_numpy(share).to(states.device), torch.from_numpy(numbers).to(states.device)
    return Modes(found, found.abs(), found.angle(), shares, *of_members)
