"""Confirmation: whether what a search found is still better on seeds that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from badger_sweeps.search.definition import Definition
from badger_sweeps.search.snapshot import StudyView

KEY = "hydra.sweeper.confirm"
"""The key that defines a confirmation's study: the overrides that its trials are given."""


def confirming(overrides: Sequence[str]) -> Definition:
    """The definition of a confirmation's study."""
    return {KEY: list(overrides)}


def overrides_of(definition: Definition) -> tuple[str, ...] | None:
    """The overrides of a confirmation's study; None if its definition has none."""
    return tuple(definition[KEY]) if KEY in definition else None


def baseline_and_best(view: StudyView) -> list[dict[str, Any]]:
    """The points of the first trial and of the best, to be run on fresh seeds; one point if they are the same.

    The best of many trials was in part lucky with the seeds it was searched on: its value there is too good on average.
    """
    best = view.best
    if best is None:
        return []
    points = [dict(view.trials[0].params), dict(best.params)]
    return points[:1] if points[0] == points[1] else points
