"""Base classes of trackers, and the descriptions of the run or search that a tracker logs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from badger_sweeps.core.columns import Columns
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.topologies.connectivity import Connectivity
from badger_sweeps.training.loop import Records


@dataclass(frozen=True)
class RunDescription:
    """The run that a tracker logs.

    Attributes:
        folder: the run's folder.
        run_id: the run's id; it stays the same after a restart.
        name: the configuration's readable name, shared by runs that differ only in their seeds.
        group: the group's name, shared by the runs of a configuration or of a trial.
        tags: keywords to filter runs by.
        config: the resolved configuration.
        seeds: the members' seeds.
        first_iteration: the first iteration of this session.
        graphs: by seed, the connectivity measures of its graph.
        columns: every column that records may have.
        code: archives of the code that computed the run.
        inner_steps: inner steps of a rollout, the length of vectors along the inner loop.
    """

    folder: Path
    run_id: str
    name: str
    group: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    seeds: tuple[int, ...]
    first_iteration: int
    graphs: Mapping[int, Connectivity]
    columns: Columns
    code: tuple[Path, ...] = ()
    inner_steps: int = 1


class Tracker(ABC):
    """Logs the records and the outcome of one run; never changes them."""

    @abstractmethod
    def observe(self, records: Records) -> None:
        """Log records."""

    def flush(self) -> None:  # noqa: B027
        """Wait until all records observed so far are logged; nothing to wait for, unless overridden."""

    @abstractmethod
    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        """Log the results of a finished run.

        Args:
            outcomes: one for each seed.
            objective: the objective's name.
            values: the objective's value of each seed.
        """

    @abstractmethod
    def close(self, exit_status: int) -> None:
        """Close the tracker; the session has ended, whether the run is finished or not."""


@dataclass(frozen=True)
class SearchDescription:
    """The search that a tracker logs.

    Attributes:
        folder: the search's folder.
        search_id: the search's id; it stays the same after a restart.
        name: the name of the Optuna study.
    """

    folder: Path
    search_id: str
    name: str


class SearchTracker(ABC):
    """Logs the trials of one search, each after it has ended."""

    @abstractmethod
    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        """Log a trial that has ended.

        Args:
            step: the position of the trial in the log, from 0 without gaps. After a crash, the same trial may be logged
                again at the same step.
            row: the trial's values by name: numbers, texts and None.
        """

    @abstractmethod
    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        """Close the tracker and log the search's summary so far, whether the search is finished or not."""


class Tracking(ABC):
    """Settings from which a tracker is started."""

    @abstractmethod
    def start(self, run: RunDescription) -> Tracker:
        """Start a tracker of this run."""

    @abstractmethod
    def start_search(self, search: SearchDescription) -> SearchTracker:
        """Start a tracker of this search."""
