"""What a feedback is: the normalised error that a learner reads, apart from the one that training minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod

from badger_sweeps.losses.base import Loss


class Feedback(ABC):
    """Chooses the loss whose error a learner is told after each guess: its only input about the task.

    The objective's loss says how far a guess is off for training; the feedback's says it to the learner. Both are
    normalised (chance = 1), and gradients of the objective flow through what the learner was told.
    """

    @abstractmethod
    def loss(self, objective: Loss) -> Loss:
        """The loss whose error, averaged over dimensions, is told where training minimises `objective`."""
