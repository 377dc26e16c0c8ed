"""Names of runs and of their folders, made from choices and overrides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from badger_sweeps.core.keys import GROUPS, indifferent, within
from badger_sweeps.core.names import shortened

LONGEST_FOLDER = 120


def arm_of(hydra: Any) -> str | None:
    """The arm's name, from Hydra's part of a job's configuration; None without `hydra/sweeper=arms`."""
    arms = hydra.get("sweeper", {}).get("arms")
    return str(hydra.sweep.subdir) if arms else None


def run_folder(choices: Mapping[str, str | None], overrides: Sequence[str]) -> str:
    """The name of a run's folder within the multirun's folder: ``gru,optimizer.lr=0.01,seeds=8``."""
    return shortened(_name(choices, overrides, indifferent("folder")).replace("/", "_"), LONGEST_FOLDER)


def run_name(choices: Mapping[str, str | None], overrides: Sequence[str]) -> str:
    """The configuration's name, shared by runs that differ only in their seeds."""
    return _name(choices, overrides, indifferent("name"))


def _name(choices: Mapping[str, str | None], overrides: Sequence[str], left_out: Collection[str]) -> str:
    parts = [str(choices["architecture"])]
    for override in sorted(overrides):
        key, _, value = override.lstrip("+~").partition("=")
        if override == f"architecture={parts[0]}" or within(key, left_out):
            continue
        parts.append(choice_name(key, value) if value == choices.get(key) else f"{key}={value}")
    return ",".join(parts)


def choice_name(group: str, choice: str) -> str:
    """A choice's name outside of its group: with the group's name where it would not be clear."""
    return f"{group}={choice}" if group in GROUPS and GROUPS[group].prefixed else choice
