"""``hydra/sweeper=arms``: the arms of an experiment, each with a name. Hydra imports this file at every start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException


class ArmsSweeper(BasicSweeper):
    """Runs every arm, one after another: its overrides, then those of the command line.

    A run's folder is named for its arm. Values that are swept on the command line multiply the arms and follow in the
    name.
    """

    def __init__(
        self, arms: Mapping[str, Any], max_batch_size: int | None, params: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(max_batch_size, dict(params or {}))
        self._arms = arms

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:  # type: ignore[override]
        """What Hydra's sweeper takes as one product of all values is here a product for each arm."""
        whole = jobs(self._arms, overrides)
        return [whole] if max_batch_size is None else list(self.split_overrides_to_chunks(whole, max_batch_size))


def jobs(arms: Mapping[str, Any], overrides: Sequence[Override]) -> list[list[str]]:
    """The overrides of every job: arms one after another, each with all combinations of what is swept.

    Raises:
        HydraException: there are no arms, or a sweep has no list of values.
    """
    if not arms:
        raise HydraException("`hydra.sweeper.arms` must name at least one arm; found none.")
    swept = [override.get_key_element() for override in overrides if override.is_sweep_override()]
    found = []
    for name, own in arms.items():
        for combination in BasicSweeper.split_arguments(list(overrides), None)[0]:
            varied = [each for each in combination if each.split("=", 1)[0] in swept]
            folder = ",".join([name, *varied]).replace("/", "_")
            found.append([*_listed(own), *combination, f"hydra.sweep.subdir='{folder}'"])
    return found


def _listed(arm: Mapping[str, Any] | None) -> Iterator[str]:
    for key, value in (arm or {}).items():
        yield f"{key}={'null' if value is None else value}"
