"""No tracking: the run's own folder is its only record."""

from __future__ import annotations

from collections.abc import Sequence

from badger_sweeps.foundations.settings import settings
from badger_sweeps.measures.outcome import Outcome
from badger_sweeps.tracking.base import RunDescription, Tracker, Tracking
from badger_sweeps.training.loop import Record


@settings
class Disabled(Tracking):
    """Starts a tracker that does nothing."""

    def start(self, run: RunDescription) -> Tracker:
        return _Silent()


class _Silent(Tracker):
    def observe(self, record: Record) -> None:
        pass

    def conclude(self, outcomes: Sequence[Outcome], objective: str, values: Sequence[float]) -> None:
        pass

    def close(self, exit_status: int) -> None:
        pass
