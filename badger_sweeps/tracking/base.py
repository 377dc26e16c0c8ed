"""What tracking is: something that is told of a run's records and of its outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from badger_sweeps.core.columns import Columns
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.topologies.connectivity import Connectivity
from badger_sweeps.training.loop import Record


@dataclass(frozen=True)
class RunDescription:
    """What a tracker needs to know of a run.

    Attributes:
        folder: where the run leaves its files.
        run_id: the same after a restart.
        name: readable, the configuration's; runs that differ only in their seeds share it.
        group: what the runs of a configuration, or of a trial, share.
        tags: words to find the run by.
        config: the resolved configuration.
        seeds: the members.
        first_iteration: where this session starts.
        graphs: how well connected each seed's graph is.
        columns: all that records may hold.
        code: files that have the code it was made with.
        inner_steps: of a rollout: the length of what is measured along it.
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
    """Told of everything; changes nothing."""

    @abstractmethod
    def observe(self, record: Record) -> None:
        """One record."""

    @abstractmethod
    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        """The run is finished: each seed's outcome and what it contributes to the objective."""

    @abstractmethod
    def close(self, exit_status: int) -> None:
        """The process is done with the run, finished or not."""


@dataclass(frozen=True)
class SearchDescription:
    """What a tracker needs to know of a search.

    Attributes:
        folder: where the search leaves its files.
        search_id: the same after a restart.
        name: the study's.
    """

    folder: Path
    search_id: str
    name: str


class SearchTracker(ABC):
    """Told of each of a search's trials once it has ended."""

    @abstractmethod
    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        """A trial has ended: plain values by name.

        Args:
            step: the trial's, which counts up from 0; after a process that died, the same trial may come again at it.
            row: what is told of it.
        """

    @abstractmethod
    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        """The process is done with the search, finished or not; what is known of it by now."""


class Tracking(ABC):
    """Settings from which a tracker is started."""

    @abstractmethod
    def start(self, run: RunDescription) -> Tracker:
        """Start telling of this run."""

    @abstractmethod
    def start_search(self, search: SearchDescription) -> SearchTracker:
        """Start telling of this search."""
