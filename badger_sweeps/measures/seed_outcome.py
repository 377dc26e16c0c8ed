"""The outcome of one member of a run: when it escaped, its plateaus, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.escape import escape_iteration, solved_iteration
from badger_sweeps.measures.plateaus import Plateau, find_plateaus
from badger_sweeps.measures.staircase import Staircase

FINAL = 50
"""Iterations that a final loss is the mean of."""


@dataclass(frozen=True)
class MeasuredPlateau(Plateau):
    """A plateau with what the member had solved there.

    Attributes:
        loss_dim: mean normalised error of each dimension within, which tells a solved dimension from a solved
            mixture of dimensions ("all outputs equal" is one) where both sit on the same level.
        grad_norm: median norm of the gradient within; None where the update rule takes none.
    """

    loss_dim: tuple[float, ...]
    grad_norm: float | None


@dataclass(frozen=True)
class SeedOutcome:
    """One member's run in brief.

    Attributes:
        seed: the member.
        iterations: how many it trained for.
        escape_iteration: when it escaped its first plateau (`escape.escape_iteration`); None if it did not or diverged.
        solved_iteration: when it reached level 0 (`escape.solved_iteration`); None if it did not.
        plateaus: where its loss rested, in order of time.
        final_loss: mean loss of its last 50 iterations; None if it diverged.
        diverged: whether it did, as its update rule has it, in the last of its iterations.
    """

    seed: int
    iterations: int
    escape_iteration: int | None
    solved_iteration: int | None
    plateaus: tuple[MeasuredPlateau, ...]
    final_loss: float | None
    diverged: bool

    @property
    def unsolved_plateaus(self) -> tuple[MeasuredPlateau, ...]:
        """The plateaus above level 0."""
        return tuple(plateau for plateau in self.plateaus if plateau.staircase_level > 0)

    @property
    def plateau_iterations(self) -> int:
        """Iterations spent on plateaus above level 0; of a member that did not solve, those within the budget."""
        return sum(plateau.duration for plateau in self.unsolved_plateaus)

    def as_row(self) -> dict[str, int | float | None]:
        """What became of it in numbers, by the names that files and W&B have for them."""
        return {
            "seed": self.seed,
            "escape_iteration": self.escape_iteration,
            "solved_iteration": self.solved_iteration,
            "plateau_iterations": self.plateau_iterations,
            "final_loss": self.final_loss,
            "diverged": self.diverged,
        }


def outcome(seed: int, columns: Mapping[str, NDArray[np.float32]], staircase: Staircase) -> SeedOutcome:
    """The outcome of one member.

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
    return SeedOutcome(
        seed=seed,
        iterations=len(loss),
        escape_iteration=None if diverged else escape_iteration(loss, staircase),
        solved_iteration=None if diverged else solved_iteration(loss, staircase),
        plateaus=tuple(plateaus),
        final_loss=None if diverged or not len(loss) else float(loss[-FINAL:].mean(dtype=float)),
        diverged=diverged,
    )
