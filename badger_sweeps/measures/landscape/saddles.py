"""Saddles of the loss: the smallest eigenvalues of the Hessian and its Morse index."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy  # which imports `scipy.sparse.linalg` where it is first used
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from badger_sweeps.measures.unmeasurable import warn_unmeasurable

ROUNDING = 100
"""The relative error of a product that rounding may cause, in units of epsilon of its floating-point type."""

Product = Callable[[Tensor], Tensor]
"""The matrix-vector product v -> H v."""


class Curvature(NamedTuple):
    """The ends of the spectrum of one member's Hessian; eigenvalues are in loss per squared unit of weight."""

    smallest: Float[Tensor, " found"]
    """The smallest eigenvalues, ascending; `count` of them, or all where there are fewer weights."""
    largest: Float[Tensor, ""]
    """The largest eigenvalue."""
    morse_index: Float[Tensor, ""]
    """The Morse index: the number of eigenvalues below both -tolerance and -(their residual)."""
    index_is_lower_bound: bool
    """Whether all computed eigenvalues are negative, so that there may be more."""
    tolerance: float
    """The least magnitude of an eigenvalue that counts as negative."""
    residuals: Float[Tensor, " found"]
    """|Hv - lambda v| of each of `smallest`: H has an eigenvalue within this distance of the value."""


class _NotFiniteError(Exception):
    """A Hessian-vector product is NaN or infinite."""


def hessian_product(function: Callable[[Tensor], Tensor], weights: Float[Tensor, " weight"]) -> Product:
    """The product with the Hessian of a scalar function at `weights`, by reverse-mode differentiation applied twice.

    The function is evaluated once; each product takes one backward pass through its gradient, whose graph exists as
    long as the product. Products have the type and device of `weights`, whatever those of v.

    Args:
        function: of the flat weights, of torch operations that can be differentiated twice.
        weights: the point at which the Hessian is taken.
    """
    backward = torch.func.vjp(torch.func.grad(function), weights.detach())[1]

    def product(vector: Tensor) -> Tensor:
        image: Tensor = backward(vector.to(weights))[0]
        return image

    return product


def curvature(
    product: Product,
    weights: int,
    generator: torch.Generator,
    count: int = 8,
    accuracy: float = 1e-5,
    restarts: int = 300,
    dtype: torch.dtype = torch.float64,
) -> Curvature:
    """The curvature of one member's loss: the smallest eigenvalues of its Hessian, the largest, and the Morse index.

    A plateau is a saddle if the gradient is small there and the index is at least 1. Up to max(2*count + 1, 20) weights
    the whole matrix is taken, and the index is exact. Above, restarted Lanczos (`scipy.sparse.linalg.eigsh`) finds the
    eigenvalue of the largest magnitude, |H|, and then the smallest eigenvalues of H - 2|H|: with this shift all
    have the same accuracy relative to |H|, and a null space does not prevent convergence.

    From one start vector Lanczos finds only one of several equal eigenvalues, so it is started again, with the known
    eigenvectors shifted away, until it finds no smaller eigenvalue. The residuals show that the values are eigenvalues;
    that none was missed is very likely, not proven, and if one was, the index is too small. The Hessian is that of the
    loss on a batch, whose noise widens the spectrum on both sides: measure it on many games.

    Args:
        product: maps a vector of length `weights`, of `dtype` and on the generator's device, to H v, H symmetric; see
            `hessian_product`. The type of its result determines the rounding that is allowed for.
        weights: n >= 1.
        generator: draws the start vectors.
        count: number of the smallest eigenvalues.
        accuracy: of the eigenvalues, relative to |H|; also the tolerance of the index: eigenvalues within
            +-accuracy*|H| count as 0. Never finer than 100 epsilon (1.2e-5 for float32), to allow for rounding.
        restarts: the largest number of restarts of Lanczos; each takes about max(count, 20 - count) products.
        dtype: of the vectors given to `product`.

    Returns:
        All NaN where a product is NaN or infinite, or where Lanczos did not converge.

    Source: Dauphin et al. 2014.
    """
    if weights < 1 or count < 1:
        raise ValueError(f"weights and count must be at least 1; found weights={weights}, count={count}")
    device = generator.device

    def times(vector: Float[Tensor, " weight"]) -> Float[Tensor, " weight"]:
        image = product(vector.to(dtype)).detach()
        if image.shape != vector.shape:
            raise ValueError(f"a product must have the shape of its vector, ({weights},); found {tuple(image.shape)}")
        if not image.isfinite().all():
            raise _NotFiniteError
        return image

    start = torch.randn(weights, generator=generator, dtype=torch.float64, device=device)
    try:
        epsilon = max(torch.finfo(kind).eps for kind in (dtype, times(start).dtype))
        accuracy = max(accuracy, ROUNDING * epsilon)
        if complete := weights <= max(2 * count + 1, 20):
            values, vectors, largest = _all(times, start)
        else:
            values, vectors, largest = _ends(times, start, generator, count, accuracy, restarts)
        residuals = [times(vector) - value * vector for value, vector in zip(values, vectors.T, strict=True)]
    except _NotFiniteError:
        warn_unmeasurable("curvature", "needs finite products with the Hessian", "NaN or infinity")
        return _unmeasured(min(count, weights), device)
    except scipy.sparse.linalg.ArpackError:
        warn_unmeasurable("curvature", "needs Lanczos to converge", "that it did not")
        return _unmeasured(min(count, weights), device)
    residual = torch.stack(residuals).norm(dim=1)
    tolerance = accuracy * max(abs(float(values[0])), abs(float(largest)))
    negative = values < -residual.clamp(min=tolerance)
    return Curvature(
        smallest=values[:count],
        largest=largest,
        morse_index=negative.sum().double(),
        index_is_lower_bound=bool(negative.all()) and not complete,
        tolerance=tolerance,
        residuals=residual[:count],
    )


_Pairs = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Eigenvalues, and their vectors as columns."""
_Ends = tuple[Float[Tensor, " found"], Float[Tensor, "weight found"], Float[Tensor, ""]]
"""Eigenvalues from the smallest up, their vectors as columns, and the largest eigenvalue."""


def _all(times: Product, start: Float[Tensor, " weight"]) -> _Ends:
    """The ends of the spectrum from the whole matrix, which is built row by row."""
    identity = torch.eye(len(start), dtype=start.dtype, device=start.device)
    matrix = torch.stack([times(row).double() for row in identity])
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return values, vectors, values[-1]


def _ends(
    times: Product,
    start: Float[Tensor, " weight"],
    generator: torch.Generator,
    count: int,
    accuracy: float,
    restarts: int,
) -> _Ends:
    """The ends of the spectrum by Lanczos from `start`."""
    if not times(start).any():  # a Hessian of zeros, which ARPACK refuses
        return start.new_zeros(count), torch.eye(len(start), count).to(start), start.new_zeros(())
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    rng = np.random.default_rng(seed)

    def eigenpairs(which: str, found: int, shift: float, known: NDArray[np.float64]) -> _Pairs:
        """Eigenpairs of H + shift, from a new start vector, with known eigenvectors shifted away."""

        def shifted(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            vector = vector.ravel()
            image = times(torch.from_numpy(vector).to(start)).cpu().double().numpy()
            return np.asarray(image + shift * vector + 3 * size * known @ (known.T @ vector))

        operator = scipy.sparse.linalg.LinearOperator((len(start), len(start)), matvec=shifted, dtype=np.float64)
        # The shifted eigenvalues are up to 3|H|, and ARPACK's tolerance is relative to them. It draws a
        # vector where a Krylov space ends early, as for a Hessian of low rank.
        settings = {"tol": accuracy / 3, "maxiter": restarts, "v0": rng.normal(size=len(start)), "rng": rng}
        values, vectors = scipy.sparse.linalg.eigsh(operator, k=found, which=which, **settings)
        return values - shift, vectors

    size, none = 0.0, np.zeros((len(start), 0))
    furthest = float(eigenpairs("LM", 1, 0.0, none)[0][0])
    size = abs(furthest)
    largest = furthest if furthest > 0 else float(eigenpairs("LA", 1, 2 * size, none)[0][0])
    values, vectors = eigenpairs("SA", count, -2 * size, none)
    # Lanczos may find only one of several equal eigenvalues: search until none is left below the last one.
    while len(values) < len(start):
        value, vector = eigenpairs("SA", 1, -2 * size, vectors)
        if value[0] >= np.sort(values)[count - 1] - accuracy * size:
            break
        values, vectors = np.append(values, value), np.hstack([vectors, vector])
    order = np.argsort(values)[:count]
    values, vectors = values[order], vectors[:, order]
    return torch.from_numpy(values).to(start), torch.from_numpy(vectors).to(start), start.new_tensor(largest)


def _unmeasured(found: int, device: torch.device) -> Curvature:
    missing = torch.full((found,), torch.nan, dtype=torch.float64, device=device)
    return Curvature(missing, missing[0], missing[0], False, float("nan"), missing)
