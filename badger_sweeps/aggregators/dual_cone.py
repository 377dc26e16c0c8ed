"""Projection onto the directions that conflict with no gradient. Import this module late: TorchJD takes seconds."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import torch
from torch import Tensor
from torchjd.linalg import DualConeProjector

RELATIVE = 1e-12
"""Relative to the largest eigenvalue of the Gramian of unit vectors: smaller eigenvalues are treated as zero."""


class NonNegativeProjector(DualConeProjector):
    """TorchJD's projection by exact non-negative least squares, since TorchJD's projector needs a solver under the GPL.

    The weights w of the projection of J'u are the v >= u that minimise v'Gv, G = JJ'. With G = R'R and s = v - u that
    is the s >= 0 that minimises |Rs + Ru|, which `scipy.optimize.nnls` finds by an active-set method. Rows are brought
    to unit length before, and weights back after, so that a short one is not treated as rounding of a long one.
    """

    def __call__(self, U: Tensor, G: Tensor) -> Tensor:  # TorchJD's names
        gramian, weights = G.double().cpu().numpy(), U.double().cpu().numpy()
        lengths = np.sqrt(gramian.diagonal())
        nonzero = lengths > 0  # a zero gradient conflicts with none, and its weight does not matter
        lengths = lengths[nonzero]
        values, vectors = np.linalg.eigh(gramian[np.ix_(nonzero, nonzero)] / np.outer(lengths, lengths))
        root = np.sqrt(np.where(values > RELATIVE * values[-1:], values, 0.0))[:, None] * vectors.T
        for row in weights:
            row[nonzero] += scipy.optimize.nnls(root, -root @ (row[nonzero] * lengths))[0] / lengths
        return torch.as_tensor(weights).to(U)
