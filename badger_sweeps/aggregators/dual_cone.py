"""Projection onto the directions that conflict with no gradient. Importing TorchJD takes seconds: import this late."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import torch
from torch import Tensor
from torchjd.linalg import DualConeProjector

RELATIVE = 1e-12
"""Of the Gramian's largest eigenvalue; what is below it is rounding, and counts as zero."""


class NonNegativeProjector(DualConeProjector):
    """TorchJD's projection, exactly, by non-negative least squares; its own projector needs a solver under the GPL.

    The weights w of the projection of J'u are the v >= u that minimise v'Gv, G = JJ'. With G = R'R and s = v - u that
    is the s >= 0 that minimises |Rs + Ru|, which `scipy.optimize.nnls` finds by an active-set method.
    """

    def __call__(self, U: Tensor, G: Tensor) -> Tensor:  # as TorchJD names them
        values, vectors = np.linalg.eigh(G.double().cpu().numpy())
        values = np.where(values > RELATIVE * values[-1], values, 0.0)
        root = np.sqrt(values)[:, None] * vectors.T
        rows = [row + scipy.optimize.nnls(root, -root @ row)[0] for row in U.double().cpu().numpy()]
        return torch.as_tensor(np.stack(rows)).to(U)
