"""The one number a run is judged by, lower being better, with its interval over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.estimates import Estimate, censored_at, mean
from badger_sweeps.measures.seed_outcome import SeedOutcome

Objective = Literal["escape_iteration", "plateau_iterations", "solved_iteration", "final_loss"]


def objective(name: Objective, outcomes: Sequence[SeedOutcome], budget: int) -> Estimate:
    """The mean over seeds of `per_seed`, with its BCa interval (None for fewer than eight seeds)."""
    return mean(per_seed(name, outcomes, budget))


def per_seed(name: Objective, outcomes: Sequence[SeedOutcome], budget: int) -> NDArray[np.float64]:
    """What each seed contributes.

    ``escape_iteration`` and ``solved_iteration``: the time, or the budget where it was not reached (their mean is the
    restricted mean). ``plateau_iterations``: iterations on plateaus above level 0 within the budget; all of it for a
    seed that never escaped, whatever was found on its way. ``final_loss``: the final loss. A diverged seed has lost all
    it had: it counts as the whole budget, or as chance, 1.
    """
    return _PER_SEED[name](outcomes, budget)


def _times(name: str) -> Callable[[Sequence[SeedOutcome], int], NDArray[np.float64]]:
    return lambda outcomes, budget: censored_at([getattr(outcome, name) for outcome in outcomes], budget)


def _plateau_iterations(outcomes: Sequence[SeedOutcome], budget: int) -> NDArray[np.float64]:
    lost = [outcome.diverged or outcome.escape_iteration is None for outcome in outcomes]
    times = [budget if own else outcome.plateau_iterations for own, outcome in zip(lost, outcomes, strict=True)]
    return np.array(times, dtype=float)


def _final_loss(outcomes: Sequence[SeedOutcome], budget: int) -> NDArray[np.float64]:
    return np.array([1.0 if outcome.final_loss is None else outcome.final_loss for outcome in outcomes])


_PER_SEED: dict[str, Callable[[Sequence[SeedOutcome], int], NDArray[np.float64]]] = {
    "escape_iteration": _times("escape_iteration"),
    "plateau_iterations": _plateau_iterations,
    "solved_iteration": _times("solved_iteration"),
    "final_loss": _final_loss,
}
