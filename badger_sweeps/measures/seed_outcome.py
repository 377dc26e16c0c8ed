"""The outcome of one member of a run: its plateaus, the values of the objectives, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from badger_sweeps.measures.plateaus import Plateau, unsolved
from badger_sweeps.measures.staircase import Staircase


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


class SeedHistory(NamedTuple):
    """What objectives are measured from.

    Attributes:
        columns: the member's metrics by name, one value for every iteration.
        staircase: gives D and the block.
        plateaus: the plateaus of its loss, in order of time.
        diverged: whether it diverged.
    """

    columns: Mapping[str, NDArray[np.float32]]
    staircase: Staircase
    plateaus: tuple[MeasuredPlateau, ...]
    diverged: bool

    @property
    def loss(self) -> NDArray[np.float32]:
        """The normalised error of every iteration, shape (iterations,)."""
        return self.columns["loss"]


@dataclass(frozen=True)
class SeedOutcome:
    """One member's run in brief.

    Attributes:
        seed: the member.
        iterations: how many it trained for.
        measured: by objective, what `Objective.measure` gave; None if it has no value.
        plateaus: the plateaus of its loss, in order of time.
        diverged: whether it did, as its update rule has it, in the last of its iterations.
    """

    seed: int
    iterations: int
    measured: Mapping[str, int | float | None]
    plateaus: tuple[MeasuredPlateau, ...]
    diverged: bool

    def time(self, objective: str) -> int | None:
        """The value of an objective that is a time in iterations."""
        value = self.measured[objective]
        return None if value is None else int(value)

    @property
    def escape_iteration(self) -> int | None:
        """When it escaped its first plateau (`escape.escape_iteration`); None if it did not or diverged."""
        return self.time("escape_iteration")

    @property
    def solved_iteration(self) -> int | None:
        """When it reached level 0 (`escape.solved_iteration`); None if it did not or diverged."""
        return self.time("solved_iteration")

    @property
    def final_loss(self) -> float | None:
        """The mean loss of its last 50 iterations; None if it diverged."""
        return self.measured["final_loss"]

    @property
    def unsolved_plateaus(self) -> tuple[MeasuredPlateau, ...]:
        """The plateaus above level 0."""
        return unsolved(self.plateaus)

    def as_row(self) -> dict[str, int | float | None]:
        """What became of it in numbers, by the names that files and W&B have for them."""
        return {"seed": self.seed, **self.measured, "diverged": self.diverged}
