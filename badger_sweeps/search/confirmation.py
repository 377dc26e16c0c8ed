"""Confirmation: whether the best trial of a search is still better on seeds that the search has not used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from badger_sweeps.search.definition import Definition
from badger_sweeps.search.state import SearchState

CONFIRM_KEY = "hydra.sweeper.confirm"
"""The key that defines a confirmation: the overrides that all its trials get."""


def confirmation_definition(overrides: Sequence[str]) -> Definition:
    """The definition of a confirmation, which is a search of its own."""
    return {CONFIRM_KEY: list(overrides)}


def confirmation_overrides(definition: Definition) -> tuple[str, ...] | None:
    """The overrides in a confirmation's definition; None if it has none."""
    return tuple(definition[CONFIRM_KEY]) if CONFIRM_KEY in definition else None


def baseline_and_best(state: SearchState) -> list[dict[str, Any]]:
    """The points of the first trial and of the best one, to be run on fresh seeds; one point if they are equal.

    The best of many trials was in part lucky with the seeds of the search: on average its value there is too good.
    """
    best = state.best
    if best is None:
        return []
    points = [dict(state.trials[0].params), dict(best.params)]
    return points[:1] if points[0] == points[1] else points
