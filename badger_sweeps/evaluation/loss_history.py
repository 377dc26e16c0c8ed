"""The losses of a population so far, for measures that look back."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import Record

EVALUATION_LOSS = "evaluation/loss"


class LossHistory:
    """What every member's loss was, iteration by iteration.

    Args:
        experiment: whose.

    Attributes:
        names: of the metrics that are kept.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._place = {seed: place for place, seed in enumerate(experiment.seeds)}
        self.names = ("loss", *(f"loss_dim/{dim}" for dim in range(experiment.task.dims)))
        self._training: list[np.ndarray] = []
        self._evaluation: list[np.ndarray] = []

    def add(self, record: Record) -> None:
        """One iteration more."""
        places = [self._place[seed] for seed in record.seeds]
        self._training.append(self._spread(places, [record.metrics[name] for name in self.names]))
        if EVALUATION_LOSS in record.measures:
            self._evaluation.append(self._spread(places, [record.measures[EVALUATION_LOSS]])[0])

    def losses(self, members: Int[Tensor, " member"], last: int | None = None) -> Float[Tensor, "member time"]:
        """The training loss of the last so many iterations (null: of all), fewer where there are fewer."""
        return _stacked([row[0] for row in self._training[-last if last else None :]], members)

    def losses_by_dim(self, members: Int[Tensor, " member"]) -> Float[Tensor, "member time dim"]:
        """The training loss in each dimension, of all iterations."""
        rows = [row[1:].T for row in self._training]
        return _stacked(rows, members) if rows else torch.empty(len(members), 0, len(self.names) - 1)

    def evaluation_losses(self, members: Int[Tensor, " member"], last: int) -> Float[Tensor, "member time"]:
        """The loss on the evaluation games, at the last so many measurements."""
        return _stacked(self._evaluation[-last:], members)

    def _spread(self, places: list[int], values: list[np.ndarray]) -> np.ndarray:
        """Values of the members that took part, in their places; NaN in the others'."""
        row = np.full((len(values), len(self._place)), np.nan, dtype=np.float32)
        row[:, places] = values
        return row


def _stacked(rows: list[np.ndarray], members: Int[Tensor, " member"]) -> Tensor:
    """Rows by time, each with the members first, turned to members by time."""
    if not rows:
        return torch.empty(len(members), 0)
    return torch.from_numpy(np.stack(rows, axis=1)[members.cpu().numpy()])
