"""``hydra/sweeper=arms``: the arms of an experiment, each with a name. Hydra imports this file at every start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException


class ArmsSweeper(BasicSweeper):
    """Runs every arm, one after another: its overrides, then those of the command line.

    The folder of a run has the name of its arm. Each arm runs once for every combination of the values that are swept
    on the command line; the swept values follow in the folder's name.
    """

    def __init__(
        self, arms: Mapping[str, Any], max_batch_size: int | None, params: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(max_batch_size, dict(params or {}))
        self._arms = arms

    def split_arguments(self, overrides: list[Override], max_batch_size: int | None) -> list[list[list[str]]]:  # type: ignore[override]
        """All combinations of the swept values, for each arm; Hydra's own sweeper has no arms."""
        listed = jobs(self._arms, overrides)
        return [listed] if max_batch_size is None else list(self.split_overrides_to_chunks(listed, max_batch_size))


def jobs(arms: Mapping[str, Any], overrides: Sequence[Override]) -> list[list[str]]:
    """The overrides of every job: arm after arm, each with all combinations of the swept values.

    Raises:
        HydraException: there are no arms, or a sweep has no list of values.
    """
    if not arms:
        raise HydraException("`hydra.sweeper.arms` must name at least one arm; found none.")
    swept = [override.get_key_element() for override in overrides if override.is_sweep_override()]
    listed = []
    for name, arm in arms.items():
        for combination in BasicSweeper.split_arguments(list(overrides), None)[0]:
            varied = [override for override in combination if override.split("=", 1)[0] in swept]
            folder = ",".join([name, *varied]).replace("/", "_")
            listed.append([*_arm_overrides(arm), *combination, f"hydra.sweep.subdir='{folder}'"])
    return listed


def _arm_overrides(arm: Mapping[str, Any] | None) -> Iterator[str]:
    for key, value in (arm or {}).items():
        yield f"{key}={'null' if value is None else value}"
