"""The losses of a population so far, for measures over a window of iterations."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import Record

EVALUATION_LOSS = "evaluation/loss"


class LossHistory:
    """Every member's losses at every iteration so far.

    Args:
        experiment: the experiment of the population.

    Attributes:
        names: the names of the metrics that are stored.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._index = {seed: index for index, seed in enumerate(experiment.seeds)}
        self.names = ("loss", *(f"loss_dim/{dim}" for dim in range(experiment.task.dims)))
        self._training: list[np.ndarray] = []
        self._evaluation: list[np.ndarray] = []

    def add(self, record: Record) -> None:
        """Add the losses of one iteration."""
        members = [self._index[seed] for seed in record.seeds]
        self._training.append(self._spread(members, [record.metrics[name] for name in self.names]))
        if EVALUATION_LOSS in record.measures:
            self._evaluation.append(self._spread(members, [record.measures[EVALUATION_LOSS]])[0])

    def losses(self, members: Int[Tensor, " member"], last: int | None = None) -> Float[Tensor, "member time"]:
        """The training loss of the last `last` iterations, or of all if there are fewer or `last` is None."""
        return _stacked([row[0] for row in self._training[-last if last else None :]], members)

    def losses_by_dim(self, members: Int[Tensor, " member"]) -> Float[Tensor, "member time dim"]:
        """The training loss in each dimension at all iterations."""
        rows = [row[1:].T for row in self._training]
        return _stacked(rows, members) if rows else torch.empty(len(members), 0, len(self.names) - 1)

    def evaluation_losses(self, members: Int[Tensor, " member"], last: int) -> Float[Tensor, "member time"]:
        """The loss on the evaluation games at the last `last` measurements, or at all if there are fewer."""
        return _stacked(self._evaluation[-last:], members)

    def _spread(self, members: list[int], values: list[np.ndarray]) -> np.ndarray:
        """An array (values, all members) with the values of these members, and NaN for the others."""
        row = np.full((len(values), len(self._index)), np.nan, dtype=np.float32)
        row[:, members] = values
        return row


def _stacked(rows: list[np.ndarray], members: Int[Tensor, " member"]) -> Tensor:
    """Stack rows, one for each time with the members first, to members by time."""
    if not rows:
        return torch.empty(len(members), 0)
    return torch.from_numpy(np.stack(rows, axis=1)[members.cpu().numpy()])
