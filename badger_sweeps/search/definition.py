"""What makes a study the same study: its space, objective, seeds and budget, and everything that is not searched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import distribution_to_json

from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.space import Space

Definition = Mapping[str, Any]


def definition(space: Space, directions: list[str], config: Mapping[str, Any]) -> dict[str, Any]:
    """Flat keys and plain values: studies with equal definitions are one study.

    Args:
        space: what is searched.
        directions: one for each objective.
        config: everything else that decides a trial's result, by key.
    """
    searched = {
        f"hydra.sweeper.params.{name}": json.loads(distribution_to_json(own))
        for name, own in space.distributions.items()
    }
    conditions = {f"hydra.sweeper.when.{name}": [other, *values] for name, (other, values) in space.conditions.items()}
    known = {key: value for key, value in config.items() if key not in space.distributions}
    plain = {**known, "hydra.sweeper.direction": directions, **conditions, **searched}
    return dict(json.loads(json.dumps(plain, default=str, sort_keys=True)))


def without(config: Mapping[str, Any], free: Sequence[str]) -> dict[str, Any]:
    """What is left of flat keys without those that may differ, and without all below these."""
    return {key: own for key, own in config.items() if not any(key == one or key.startswith(f"{one}.") for one in free)}


def difference(stored: Definition, wanted: Definition, study: str) -> UsageError | None:
    """The first key in which a study differs from what is asked of it, in one line."""
    for key in sorted(stored.keys() | wanted.keys()):
        then, now = stored.get(key), wanted.get(key)
        if then != now or (key in stored) != (key in wanted):
            rule = f"must be {_words(key, stored)}, as when the study {study!r} was begun"
            way_on = "hydra.sweeper.force=true goes on with the new one, another hydra.sweep.dir begins anew"
            return UsageError(f"`{key}` {rule}; found {_words(key, wanted)} ({way_on}).")
    return None


def _words(key: str, of: Definition) -> str:
    if key not in of:
        return "absent"
    value = of[key]
    if isinstance(value, dict) and "attributes" in value:  # a distribution
        kept = {name: own for name, own in value["attributes"].items() if own not in (None, False)}
        return ", ".join(f"{name}={own}" for name, own in kept.items())
    return json.dumps(value)
