"""Ray interference in a minimal system: two dimensions learned by a shared linear softmax policy.

Two contexts with two actions each; the logits are W[context, action] + b[action], and J_k = sigmoid(u_k) is the
probability of the right action, a different one in each context. The gradients of the advantages u_1, u_2 have the Gram
matrix [[4, -2], [-2, 4]], because of the shared b, so that gradient flow is

    du_k/dt = 4 g_k + 4 c g_j,    dJ_k/dt = f_k du_k/dt,    f = J (1 - J),

with the interference c = -1/2, and g = f for reinforcement learning (RL: ascent on J_1 + J_2) or g = 1 - J for
supervised learning (ascent on the log-likelihoods). Reconstructed after Schaul et al. 2019; time is in units of the
inverse learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import expit, logit

from badger_sweeps.measures.unmeasurable import warn_unmeasurable

Learning = Literal["rl", "supervised"]
"""On-policy reinforcement learning, or supervised learning of the same answers."""

Start = Sequence[float] | NDArray[np.float64]
"""J_1 and J_2."""

INTERFERENCE = -0.5
"""The cosine of the gradients of u_1 and u_2."""
SOLVED = 0.9
"""J of a dimension that counts as solved."""
LONGEST = 1e12
"""Time by which both dimensions must be solved; later counts as never."""


class Field(NamedTuple):
    """The flow on a grid over [0, 1]^2; rows are J_2 and columns J_1, as in stream plots."""

    j: NDArray[np.float64]
    """Grid points of either axis."""
    velocity_1: NDArray[np.float64]
    """dJ_1/dt at each (J_2, J_1)."""
    velocity_2: NDArray[np.float64]
    """dJ_2/dt at each (J_2, J_1)."""
    suppressed: NDArray[np.int64]
    """Winner-take-all regions: the dimension, 1 or 2, that is unlearned while the other is learned; 0 for neither."""


class Trajectory(NamedTuple):
    """The path from a start until both dimensions are solved."""

    time: NDArray[np.float64]
    """Of each point, shape (points,)."""
    j: NDArray[np.float64]
    """J_1 and J_2 of each point, shape (points, 2)."""


class Basins(NamedTuple):
    """The corners that paths from a grid of starts pass; rows are J_2 and columns J_1."""

    j: NDArray[np.float64]
    """Grid points of either axis."""
    time: NDArray[np.float64]
    """Time until both dimensions are solved."""
    lead: NDArray[np.float64]
    """The largest |J_1 - J_2| on the path: 1 at a corner, 0 on the diagonal."""
    corner: NDArray[np.int64]
    """1 for a path that passes (1, 0), 2 for one that passes (0, 1), 0 for one that passes neither."""


def velocity(u: NDArray[np.float64], learning: Learning, interference: float = INTERFERENCE) -> NDArray[np.float64]:
    """The velocity du/dt at points u, both of shape (..., 2)."""
    wrong = expit(-u)
    pull = wrong if learning == "supervised" else wrong * expit(u)
    return np.asarray(4 * (pull + interference * pull[..., ::-1]))


def field(points: int, learning: Learning, interference: float = INTERFERENCE) -> Field:
    """The flow in J and the winner-take-all regions on a grid of points x points, edges included.

    A dimension is suppressed where dJ_k/dt < 0. Under RL that is where f_k < f_j/2, near the origin the wedge
    J_k < J_j/2; under supervised learning only where J_k > (1 + J_j)/2, close to the solution of dimension k. On the
    edges of the grid J_k does not change.
    """
    j = np.linspace(0, 1, points)
    grid = np.stack(np.meshgrid(j, j), axis=-1)
    slope = grid * (1 - grid)
    pull = 1 - grid if learning == "supervised" else slope
    rate = slope * 4 * (pull + interference * pull[..., ::-1])
    falling = rate < 0
    suppressed = np.where(falling[..., 0], 1, np.where(falling[..., 1], 2, 0))
    return Field(j, rate[..., 0], rate[..., 1], suppressed)


def trajectory(
    start: Start,
    learning: Learning,
    level: float = SOLVED,
    interference: float = INTERFERENCE,
    points: int = 200,
) -> Trajectory:
    """The path from (J_1, J_2) = `start`, strictly between 0 and 1, until min J = `level`.

    It is integrated in u with relative and absolute tolerances of 1e-9. Points are dense where the path turns, not
    evenly spaced in time.

    Returns:
        One point for a start at which both are solved. Where they are not solved by time 1e12, the path until then and
        a last point of NaN.
    """
    path = _integrate(start, learning, level, interference)
    if path.t[-1] == 0:
        return Trajectory(np.zeros(1), np.asarray(start, dtype=float)[None])
    # Equally many points within each step of the solver; steps are short where the path turns.
    time = np.interp(np.linspace(0, len(path.t) - 1, max(points, 2)), np.arange(len(path.t)), path.t)
    j = expit(path.sol(time).T)
    if not _solves(path):
        time, j = np.append(time, np.nan), np.vstack([j, [np.nan, np.nan]])
    return Trajectory(time, j)


def time_to_solve(start: Start, learning: Learning, level: float = SOLVED, interference: float = INTERFERENCE) -> float:
    """The time from (J_1, J_2) = `start` until min J = `level`; relative error 1e-7; NaN if it exceeds 1e12.

    Without interference, RL takes sinh(u) + u from e to 1 - e, with u = ln((1 - e)/e), and supervised learning half as
    long. From a start on the diagonal both take 1/(1 + interference) times as long.
    """
    path = _integrate(start, learning, level, interference)
    return float(path.t[-1]) if _solves(path) else np.nan


def basins(points: int, learning: Learning, level: float = SOLVED, interference: float = INTERFERENCE) -> Basins:
    """The corners that paths from a grid of points x points inside [0, 1]^2 pass, edges excluded.

    A path passes the corner (1, 0) if at some point it is nearer to the corner than to the diagonal: J_1 - J_2 > 1/2.
    No path crosses the diagonal, and the system is symmetric, so only half of the paths are integrated.
    """
    j = np.linspace(0, 1, points + 2)[1:-1]
    time, lead = np.full((2, points, points), np.nan)
    for behind, ahead in combinations_with_replacement(range(points), 2):
        path = trajectory((j[behind], j[ahead]), learning, level, interference, points=400)
        for row, column in ((ahead, behind), (behind, ahead)):
            time[row, column] = path.time[-1]
            lead[row, column] = np.ptp(path.j, axis=1).max()
    first = np.where(j[None, :] > j[:, None], 1, 2)
    return Basins(j, time, lead, np.where(lead > 0.5, first, 0))


def _integrate(start: Start, learning: Learning, level: float, interference: float) -> Any:
    """SciPy's solution in u, until both dimensions are solved."""
    j = np.asarray(start, dtype=float)
    if j.shape != (2,) or not ((j > 0) & (j < 1)).all():
        raise ValueError(f"start must be two numbers strictly between 0 and 1; found {j.tolist()}")
    u, goal = logit(j), float(logit(level))

    def solved(time: float, u: NDArray[np.float64]) -> float:
        return float(u.min()) - goal

    solved.terminal = True  # type: ignore[attr-defined]
    return solve_ivp(
        lambda time, u: velocity(u, learning, interference),
        (0, 0.0 if u.min() >= goal else LONGEST),
        u,
        method="DOP853",
        rtol=1e-9,
        atol=1e-9,
        events=solved,
        dense_output=True,
    )


def _solves(path: Any) -> bool:
    """Whether the path ends where both dimensions are solved; warns if not."""
    solved = bool(path.status == 1 or path.t[-1] == 0)
    if not solved:
        warn_unmeasurable("ray interference", "needs starts that solve both dimensions by time 1e12", "others")
    return solved
