"""The interface of a schedule: a factor of the learning rate at each outer iteration."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Schedule(ABC):
    """A pure function of the iteration, so that a checkpoint need not hold it."""

    @abstractmethod
    def factor(self, iteration: int) -> float:
        """The factor of the optimiser's learning rate in this iteration, counted from 0."""
