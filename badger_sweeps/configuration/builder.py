"""The configuration builder: builds a `Plan` from Hydra's configuration, so that training needs no DictConfig.

The objects that it builds check their own settings. This module loads PyTorch, which Hydra's own errors need not wait
for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from badger_sweeps.configuration.naming import arm_of, choice_name, run_name
from badger_sweeps.configuration.recorded import CONFIG, damaged, recorded_config, recorded_hydra
from badger_sweeps.configuration.resolvers import SCALES
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.core.keys import DECIDES, GROUPS
from badger_sweeps.core.settings import explain
from badger_sweeps.measures.objectives import OBJECTIVES, ObjectiveName
from badger_sweeps.runs.run import Plan
from badger_sweeps.training.experiment import Experiment, Training

EXPERIMENT_GROUPS = tuple(name for name, group in GROUPS.items() if group.experiment)
"""The configuration groups that an experiment is built from."""
KNOWN = tuple(key for key in DECIDES if "." not in key)
"""All top-level keys of a configuration."""
TAGS = tuple(name for name, group in GROUPS.items() if group.tag)
"""The groups whose choices are the tags of a run."""
MOST_SEEDS = 100_000
"""The maximum number of seeds given as a count: more would not fit into any machine's memory."""


def plan(config: DictConfig, hydra: DictConfig, folder: Path, groups: Sequence[str] = EXPERIMENT_GROUPS) -> Plan:
    """The plan of the run that a composed configuration describes.

    Args:
        config: the job's configuration, without Hydra's part.
        hydra: Hydra's part.
        folder: the run's folder.
        groups: the groups that the configuration has; the experiment uses its defaults for the others.

    Raises:
        UsageError: a value breaks a rule; the message names the key.
    """
    for key in map(str, config):
        if key not in KNOWN:
            raise UsageError(f"`{key}` is not a known key.{nearest(key, KNOWN)}")
    choices = dict(hydra.runtime.choices)
    for group in (*groups, "measures", "tracking"):
        if choices.get(group) is None:
            raise UsageError(f"`{group}` must be one choice of its group; found none.")
    if config.scale not in SCALES:
        raise UsageError(f"`scale` must be one of {', '.join(SCALES)}; found {config.scale!r}.")
    reuse = config.get("reuse", True)  # runs of earlier versions do not have it
    if not isinstance(reuse, bool):
        raise UsageError(f"`reuse` must be true or false; found {reuse!r}.")
    objectives = _objectives(config.objective)
    resolved = _container(config)
    parts = {group: _build(resolved, group) for group in groups}
    try:
        training = Training(**_plain(resolved, "training"))
    except ValidationError as error:
        raise UsageError(explain(error, "training")) from error
    try:
        experiment = Experiment(**parts, training=training, seeds=_seeds(config.seeds), device=config.device)
    except ValidationError as error:
        raise UsageError(explain(error)) from error
    name = arm_of(hydra) or run_name(choices, list(hydra.overrides.task))
    study = choices.get("study")
    return Plan(
        experiment=experiment,
        measures=_build(resolved, "measures"),
        folder=folder,
        name=name,
        group=None if study is None else f"{study}/{name}",
        tags=tuple(choice_name(group, str(choices[group])) for group in TAGS if choices.get(group) is not None),
        config=resolved,
        objective=objectives[0],
        further_objectives=objectives[1:],
        tracking=_build(resolved, "tracking"),
    )


def plan_of(run: Path) -> Plan:
    """The plan of an existing run, from the configuration in its folder.

    Raises:
        UsageError: the configuration is damaged, or lacks keys.
    """
    config = recorded_config(run)
    groups = [group for group in EXPERIMENT_GROUPS if group in config or not GROUPS[group].added_later]
    try:
        return plan(config, recorded_hydra(run), run, groups)
    except OmegaConfBaseException as error:
        raise damaged(run / CONFIG, error) from error


def _build(resolved: Mapping[str, Any], key: str) -> Any:
    """Build the object that the choice of group `key` describes."""
    try:
        return instantiate(_plain(resolved, key), _convert_="object")
    except InstantiationException as error:
        if isinstance(error.__cause__, ValidationError):
            nested = re.search(r"^full_key: (\S+)", str(error), re.MULTILINE)  # the key of a choice within this one
            raise UsageError(explain(error.__cause__, f"{key}.{nested[1]}" if nested else key)) from error
        cause = error.__cause__ or error.__context__ or error
        raise UsageError(f"`{key}` cannot be built: {' '.join(str(cause).split())}.") from error


def _plain(resolved: Mapping[str, Any], key: str) -> dict[str, Any]:
    node = resolved.get(key)
    if not isinstance(node, dict):
        raise UsageError(f"`{key}` must be a choice of its group or its keys; found {node!r}.")
    return node


def _container(config: DictConfig) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))


def _objectives(value: Any) -> tuple[ObjectiveName, ...]:
    """The key `objective`: one objective, or a list of different ones for a search with several objectives."""
    names = tuple(OBJECTIVES)
    listed = tuple(value) if OmegaConf.is_list(value) else (value,)
    if not listed or len(set(listed)) < len(listed) or not set(listed) <= set(names):
        found = list(listed) if OmegaConf.is_list(value) else value
        raise UsageError(f"`objective` must be one of {', '.join(names)}, or a list of them; found {found!r}.")
    return listed


def _seeds(seeds: Any) -> tuple[Any, ...]:
    """The key `seeds`: a list of seeds, or a count (3 means seeds 0, 1, 2)."""
    if OmegaConf.is_list(seeds):
        return tuple(seeds)
    if isinstance(seeds, bool) or not isinstance(seeds, int):
        raise UsageError(f"`seeds` must be a count or a list of whole numbers; found {seeds!r}.")
    if not 1 <= seeds <= MOST_SEEDS:
        raise UsageError(f"`seeds` must be a count from 1 to {MOST_SEEDS}, or a list; found {seeds}.")
    return tuple(range(seeds))
