"""The sweeper plugin. Hydra imports this file at every start, so it imports its parts only when a search begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn


class BadgerSweeper(Sweeper):
    """``hydra/sweeper=badger``; its arguments are the keys of `config.SWEEPER`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Search until all trials have ended; returns the jobs of this process in order, `n_jobs` to a batch."""
        from hydra_plugins.badger_sweeper._controller import Controller

        assert self.config is not None
        assert self.hydra_context is not None
        return Controller(self.hydra_context, self.task_function, self.config).sweep(arguments)
