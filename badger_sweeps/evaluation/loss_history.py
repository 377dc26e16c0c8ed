"""The losses of a population so far, for measures over a window of iterations."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import Records

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
        self._training = np.empty((0, len(self.names), len(self._index)), dtype=np.float32)
        self._count = 0
        self._evaluation: list[np.ndarray] = []

    def add(self, records: Records) -> None:
        """Add the losses of some iterations."""
        members, end = [self._index[seed] for seed in records.seeds], self._count + len(records)
        if end > len(self._training):
            longer = np.full((max(2 * len(self._training), end, 1024), *self._training.shape[1:]), np.nan, np.float32)
            longer[: self._count] = self._training[: self._count]
            self._training = longer
        for number, name in enumerate(self.names):
            self._training[self._count : end, number, members] = records.metrics[name]
        self._count = end
        if EVALUATION_LOSS in records.measures:
            evaluation = np.full(len(self._index), np.nan, dtype=np.float32)
            evaluation[members] = records.measures[EVALUATION_LOSS]
            self._evaluation.append(evaluation)

    def losses(self, members: Int[Tensor, " member"], last: int | None = None) -> Float[Tensor, "member time"]:
        """The training loss of the last `last` iterations, or of all if there are fewer or `last` is None."""
        first = max(0, self._count - last) if last else 0
        return torch.from_numpy(self._training[first : self._count, 0][:, members.cpu().numpy()].T.copy())

    def losses_by_dim(self, members: Int[Tensor, " member"]) -> Float[Tensor, "member time dim"]:
        """The training loss in each dimension at all iterations."""
        chosen = self._training[: self._count, 1:, members.cpu().numpy()]  # time, dim, member
        return torch.from_numpy(np.moveaxis(chosen, 2, 0).copy())

    def evaluation_losses(self, members: Int[Tensor, " member"], last: int) -> Float[Tensor, "member time"]:
        """The loss on the evaluation games at the last `last` measurements, or at all if there are fewer."""
        rows = self._evaluation[-last:]
        if not rows:
            return torch.empty(len(members), 0)
        return torch.from_numpy(np.stack(rows, axis=1)[members.cpu().numpy()])
