"""The effects of each configuration key: the table for all code that compares or names configurations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple


class Decides(NamedTuple):
    """The things that a key's value decides."""

    training: bool = True
    """The numbers of training, up to rounding: a checkpoint can only be continued with the same value."""
    history: bool = True
    """The history, bit by bit: a finished run is only reused for the same value."""
    folder: bool = True
    """The name of a run's folder."""
    name: bool = True
    """The name of a configuration, which runs share that differ in their seeds alone."""
    parameter: bool = True
    """The point of a run in a sweep: what a workspace compares runs by."""
    search: bool = True
    """The identity of a search: a search can only be continued with the same value."""
    study: bool = True
    """Whether a study is a standard one: its verdict only counts with the standard value."""


Question = Literal["training", "history", "folder", "name", "parameter", "search", "study"]
EVERYTHING = Decides()
NOTHING = Decides(*[False] * len(Decides._fields))
UNNAMED = {"folder": False, "name": False, "parameter": False}
BUDGET = "training.iterations"
"""The key of the number of iterations. It decides where a history ends but none of its numbers, so that a run can be
continued to a larger budget; schedules over the budget have keys of their own."""


class Group(NamedTuple):
    """A group of the configuration.

    Attributes:
        decides: the effects of its choice and of the choice's keys.
        experiment: whether an experiment is built from it.
        tag: whether its choice is a tag of a run.
        added_later: whether configurations of earlier versions' runs lack it; an experiment's default replaces it.
        prefixed: whether its choices' names include its own: `l1` alone is the loss, and `mean` the readout.
    """

    decides: Decides = EVERYTHING
    experiment: bool = True
    tag: bool = True
    added_later: bool = False
    prefixed: bool = False


GROUPS: Mapping[str, Group] = {
    "study": Group(NOTHING, experiment=False),
    "architecture": Group(),
    "topology": Group(),
    "task": Group(),
    "loss": Group(),
    "feedback": Group(added_later=True, prefixed=True),
    "readout": Group(),
    "rule": Group(added_later=True),
    "aggregator": Group(added_later=True, prefixed=True),
    "optimizer": Group(),
    "schedule": Group(tag=False),
    "engine": Group(Decides(training=False, **UNNAMED, search=False, study=False), tag=False),
    "measures": Group(
        Decides(training=False, parameter=False, search=False), experiment=False, tag=False, prefixed=True
    ),
    "tracking": Group(NOTHING, experiment=False, tag=False),
}
"""By name, in the order of a run's tags."""

DECIDES: Mapping[str, Decides] = {
    **{name: group.decides for name, group in GROUPS.items()},
    "training": EVERYTHING,
    BUDGET: Decides(training=False, **UNNAMED),
    "training.checkpoint_every": NOTHING,
    "training.snapshot_every": Decides(training=False, search=False),  # a study measures its snapshots
    "seeds": Decides(name=False, parameter=False, study=False),
    "device": Decides(**UNNAMED, search=False, study=False),
    "objective": Decides(training=False, history=False, **UNNAMED),
    "scale": NOTHING,
    "reuse": NOTHING,
}
"""By key; a nested key that is not in the table has the entry of the key above it."""


def decides(key: str) -> Decides:
    """The table's entry for a dotted key: that of the key itself, or of the nearest key above it.

    Raises:
        KeyError: neither the key nor a key above it is in the table.
    """
    entries = [entry for entry in DECIDES if within(key, (entry,))]
    if not entries:
        raise KeyError(key)
    return DECIDES[max(entries, key=len)]


def indifferent(question: Question) -> tuple[str, ...]:
    """The keys of the table that have no effect on `question`."""
    return tuple(key for key, answers in DECIDES.items() if not getattr(answers, question))


def within(key: str, keys: Collection[str]) -> bool:
    """Whether a dotted key is one of these keys or below one of them."""
    return any(key == above or key.startswith(f"{above}.") for above in keys)


def without(config: Mapping[str, Any], keys: Collection[str], prefix: str = "") -> dict[str, Any]:
    """A configuration, nested or with dotted keys, without these keys and all keys below them."""
    kept = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if not within(key, keys):
            kept[name] = without(value, keys, f"{key}.") if isinstance(value, Mapping) else value
    return kept
