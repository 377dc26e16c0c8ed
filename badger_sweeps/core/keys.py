"""What each key of a configuration decides: one table for all that compares or names configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class Decides(NamedTuple):
    """What follows from a key's value."""

    training: bool = True
    """The numbers of training, up to rounding: a checkpoint is continued under the same value alone."""
    history: bool = True
    """The history, to the bit: a finished run is taken over under the same value alone."""
    name: bool = True
    """The name and the folder of a run."""
    search: bool = True
    """Which search it is: a search is gone on with under the same value alone."""
    study: bool = True
    """Whether a study is the standard one: its verdict counts under the standard value alone."""


Question = Literal["training", "history", "name", "search", "study"]
EVERYTHING = Decides()
NOTHING = Decides(training=False, history=False, name=False, search=False, study=False)
BUDGET = "training.iterations"
"""Where a history ends. It decides none of its numbers, so that a run can be continued to a larger budget; what is
scheduled over the budget is a key of its own."""

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
"""By key; a key below another one is like that one unless it stands here itself."""


def decides(key: str) -> Decides:
    """What a dotted key decides.

    Raises:
        KeyError: neither it nor a key above it is in the table.
    """
    above = key
    while above not in DECIDES:
        above, dot, _ = above.rpartition(".")
        if not dot:
            raise KeyError(key)
    return DECIDES[above]


def indifferent(question: Question) -> tuple[str, ...]:
    """The keys of the table that do not decide this."""
    return tuple(key for key, answers in DECIDES.items() if not getattr(answers, question))


def deciding(config: Mapping[str, Any], question: Question, prefix: str = "") -> dict[str, Any]:
    """What is left of a nested configuration without the keys that do not decide this."""
    kept = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if key in DECIDES and not getattr(DECIDES[key], question):
            continue
        nested = isinstance(value, Mapping) and any(other.startswith(f"{key}.") for other in DECIDES)
        kept[name] = deciding(value, question, f"{key}.") if nested else value
    return kept
