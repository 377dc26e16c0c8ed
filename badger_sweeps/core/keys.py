"""The effects of each configuration key: the table for all code that compares or names configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class Decides(NamedTuple):
    """The things that a key's value decides."""

    training: bool = True
    """The numbers of training, up to rounding: a checkpoint can only be continued with the same value."""
    history: bool = True
    """The history, bit by bit: a finished run is only reused for the same value."""
    name: bool = True
    """The name and the folder of a run."""
    search: bool = True
    """The identity of a search: a search can only be continued with the same value."""
    study: bool = True
    """Whether a study is a standard one: its verdict only counts with the standard value."""


Question = Literal["training", "history", "name", "search", "study"]
EVERYTHING = Decides()
NOTHING = Decides(training=False, history=False, name=False, search=False, study=False)
BUDGET = "training.iterations"
"""The key of the number of iterations. It decides where a history ends but none of its numbers, so that a run can be
continued to a larger budget; schedules over the budget have keys of their own."""

DECIDES: Mapping[str, Decides] = {
    "architecture": EVERYTHING,
    "topology": EVERYTHING,
    "task": EVERYTHING,
    "loss": EVERYTHING,
    "feedback": EVERYTHING,
    "readout": EVERYTHING,
    "rule": EVERYTHING,
    "aggregator": EVERYTHING,
    "optimizer": EVERYTHING,
    "schedule": EVERYTHING,
    "training": EVERYTHING,
    BUDGET: Decides(training=False, name=False),
    "training.checkpoint_every": NOTHING,
    "training.snapshot_every": Decides(training=False, search=False),  # a study measures its snapshots
    "seeds": Decides(study=False),
    "device": Decides(name=False, search=False, study=False),
    "engine": Decides(training=False, name=False, search=False, study=False),
    "measures": Decides(training=False, search=False),
    "objective": Decides(training=False, history=False, name=False),
    "tracking": NOTHING,
    "study": NOTHING,
    "scale": NOTHING,
    "reuse": NOTHING,
}
"""By key; a nested key that is not in the table has the entry of the key above it."""


def decides(key: str) -> Decides:
    """The table's entry for a dotted key.

    Raises:
        KeyError: neither the key nor a key above it is in the table.
    """
    above = key
    while above not in DECIDES:
        above, dot, _ = above.rpartition(".")
        if not dot:
            raise KeyError(key)
    return DECIDES[above]


def indifferent(question: Question) -> tuple[str, ...]:
    """The keys of the table that have no effect on `question`."""
    return tuple(key for key, answers in DECIDES.items() if not getattr(answers, question))


def deciding(config: Mapping[str, Any], question: Question, prefix: str = "") -> dict[str, Any]:
    """A nested configuration without the keys that have no effect on `question`."""
    kept = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if key in DECIDES and not getattr(DECIDES[key], question):
            continue
        nested = isinstance(value, Mapping) and any(other.startswith(f"{key}.") for other in DECIDES)
        kept[name] = deciding(value, question, f"{key}.") if nested else value
    return kept
