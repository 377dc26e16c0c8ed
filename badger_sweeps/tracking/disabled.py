"""No tracking: trackers that do nothing, so that other code need not test whether tracking is enabled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from badger_sweeps.core.settings import settings
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.tracking.base import RunDescription, SearchDescription, SearchTracker, Tracker, Tracking
from badger_sweeps.training.loop import Records


@settings
class Disabled(Tracking):
    """Logs nothing."""

    def start(self, run: RunDescription) -> Tracker:
        return _NoTracker()

    def start_search(self, search: SearchDescription) -> SearchTracker:
        return _NoSearchTracker()


class _NoTracker(Tracker):
    def observe(self, records: Records) -> None:
        pass

    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        pass

    def close(self, exit_status: int) -> None:
        pass


class _NoSearchTracker(SearchTracker):
    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        pass

    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        pass
