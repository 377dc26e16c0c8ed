"""The outcome of one member, computed from its history."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.objectives import OBJECTIVES
from badger_sweeps.measures.plateaus import find_plateaus
from badger_sweeps.measures.seed_outcome import MeasuredPlateau, SeedHistory, SeedOutcome
from badger_sweeps.measures.staircase import Staircase


def outcome(seed: int, columns: Mapping[str, NDArray[np.float32]], staircase: Staircase) -> SeedOutcome:
    """The outcome of one member, with the values of all objectives.

    Args:
        seed: the member.
        columns: its metrics by name (``loss``, ``loss_dim/K``, ``diverged``, and ``grad_norm`` where there is one), a
            value for every iteration.
        staircase: gives D and the block.

    A member that diverged counts as not escaped and not solved, whatever it did before.
    """
    loss, norm = columns["loss"], columns.get("grad_norm")
    # Histories of earlier versions have no such column: there whatever was not finite had diverged.
    recorded = columns.get("diverged", ~np.isfinite(loss if norm is None else loss + norm))
    diverged = bool(len(loss)) and bool(recorded[-1] > 0)
    dims = sum(name.startswith("loss_dim/") for name in columns)
    per_dim = np.stack([columns[f"loss_dim/{dim}"] for dim in range(dims)], axis=1)
    plateaus = []
    for plateau in find_plateaus(loss, staircase):
        within = slice(plateau.start, plateau.end)
        means = per_dim[within].mean(axis=0, dtype=float).tolist()
        steepness = None if norm is None else float(np.median(norm[within]))
        plateaus.append(MeasuredPlateau(**vars(plateau), loss_dim=tuple(means), grad_norm=steepness))
    history = SeedHistory(columns, staircase, tuple(plateaus), diverged)
    measured = {name: objective.measure(history) for name, objective in OBJECTIVES.items()}
    return SeedOutcome(seed, len(loss), measured, history.plateaus, diverged)
