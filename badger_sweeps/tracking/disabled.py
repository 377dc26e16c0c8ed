"""No tracking: trackers that do nothing, so that nobody has to ask whether there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from badger_sweeps.core.settings import settings
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.tracking.base import RunDescription, SearchDescription, SearchTracker, Tracker, Tracking
from badger_sweeps.training.loop import Record


@settings
class Disabled(Tracking):
    """Tells nobody."""

    def start(self, run: RunDescription) -> Tracker:
        return _Nobody()

    def start_search(self, search: SearchDescription) -> SearchTracker:
        return _NobodyOfSearches()


class _Nobody(Tracker):
    def observe(self, record: Record) -> None:
        pass

    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        pass

    def close(self, exit_status: int) -> None:
        pass


class _NobodyOfSearches(SearchTracker):
    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        pass

    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        pass
