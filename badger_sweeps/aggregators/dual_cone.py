"""Projection onto the directions that conflict with no gradient. Importing TorchJD takes seconds: import this late."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import torch
from torch import Tensor
from torchjd.linalg import DualConeProjector

RELATIVE = 1e-12
"""Of the largest eigenvalue of the Gramian of unit vectors; what is below it is rounding, and counts as zero."""


class NonNegativeProjector(DualConeProjector):
    """TorchJD's projection, exactly, by non-negative least squares; its own projector needs a solver under the GPL.

    The weights w of the projection of J'u are the v >= u that minimise v'Gv, G = JJ'. With G = R'R and s = v - u that
    is the s >= 0 that minimises |Rs + Ru|, which `scipy.optimize.nnls` finds by an active-set method. Rows are brought
    to unit length before, and weights back after, so that a short one is not taken for rounding of a long one.
    """

    def __call__(self, U: Tensor, G: Tensor) -> Tensor:  # as TorchJD names them
        gramian, weights = G.double().cpu().numpy(), U.double().cpu().numpy()
        lengths = np.sqrt(gramian.diagonal())
        there = lengths > 0  # a zero conflicts with nothing, and no weight of it matters
        lengths = lengths[there]
        values, vectors = np.linalg.eigh(gramian[np.ix_(there, there)] / np.outer(lengths, lengths))
        root = np.sqrt(np.where(values > RELATIVE * values[-1:], values, 0.0))[:, None] * vectors.T
        for row in weights:
            row[there] += scipy.optimize.nnls(root, -root @ (row[there] * lengths))[0] / lengths
        return torch.as_tensor(weights).to(U)
