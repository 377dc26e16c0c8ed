"""The interface of a feedback: the normalised error that a learner reads, which may differ from the training loss."""

from __future__ import annotations

from abc import ABC, abstractmethod

from badger_sweeps.losses.base import Loss


class Feedback(ABC):
    """Chooses the loss whose error a learner reads after each guess, its only input about the task.

    Training minimises the error of the objective's loss; the learner reads that of the feedback's loss. Both are
    normalised (chance = 1), and gradients of the objective flow through the feedback.
    """

    @abstractmethod
    def loss(self, objective: Loss) -> Loss:
        """The loss whose error, mean over dimensions, the learner reads if training minimises `objective`."""
