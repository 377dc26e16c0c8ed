"""The definition of a search: its space, objective, seeds and budget, and everything else that decides a result.

Two commands work on the same search only if their definitions are equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import distribution_to_json

from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.keys import without
from badger_sweeps.search.space import Space

Definition = Mapping[str, Any]


def definition(space: Space, directions: list[str], config: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as flat keys and plain values.

    Args:
        space: the search space.
        directions: one for each objective.
        config: everything else that decides a trial's result, by key.
    """
    searched = {
        f"hydra.sweeper.params.{name}": json.loads(distribution_to_json(distribution))
        for name, distribution in space.distributions.items()
    }
    conditions = {f"hydra.sweeper.when.{name}": [other, *values] for name, (other, values) in space.conditions.items()}
    not_searched = {key: value for key, value in config.items() if key not in space.distributions}
    plain = {**not_searched, "hydra.sweeper.direction": directions, **conditions, **searched}
    return dict(json.loads(json.dumps(plain, default=str, sort_keys=True)))


def check_same(stored: Definition, wanted: Definition, may_differ: Sequence[str], search: str) -> None:
    """Refuse a definition that differs from the stored one in any key but those of `may_differ`.

    Raises:
        UsageError: see `first_difference`.
    """
    # The search may have been begun when `may_differ` had fewer keys than now: they are stored, and left out here.
    error = first_difference(without(stored, may_differ), wanted, search)
    if error is not None:
        raise error


def first_difference(stored: Definition, wanted: Definition, search: str) -> UsageError | None:
    """The error that names the first key in which two definitions differ; None if they are equal.

    Args:
        stored: the definition with which the search was begun.
        wanted: the definition that the command asks for.
        search: the search's name.
    """
    for key in sorted(stored.keys() | wanted.keys()):
        if stored.get(key) != wanted.get(key) or (key in stored) != (key in wanted):
            rule = f"must be {_format_value(key, stored)}, as when the search {search!r} was begun"
            remedy = (
                "hydra.sweeper.force=true continues with the new value, another hydra.sweep.dir begins a new search"
            )
            return UsageError(f"`{key}` {rule}; found {_format_value(key, wanted)} ({remedy}).")
    return None


def _format_value(key: str, definition: Definition) -> str:
    if key not in definition:
        return "absent"
    value = definition[key]
    if isinstance(value, dict) and "attributes" in value:  # a distribution
        given = {name: bound for name, bound in value["attributes"].items() if bound not in (None, False)}
        return ", ".join(f"{name}={bound}" for name, bound in given.items())
    return json.dumps(value)
