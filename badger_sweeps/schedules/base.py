"""What a schedule is: a factor for the learning rate at each outer iteration."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Schedule(ABC):
    """A pure function of the iteration, so that a run that goes on later has nothing to remember."""

    @abstractmethod
    def factor(self, iteration: int) -> float:
        """What the optimiser's learning rate is multiplied by in this iteration, counted from 0."""
