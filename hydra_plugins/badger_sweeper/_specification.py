"""The specification of a search: ``hydra.sweeper`` and the command line, checked, in a form to send to workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_method, instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.samplers import BaseSampler, RandomSampler
from pydantic import ValidationError

from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.keys import without
from badger_sweeps.core.optional_libraries import require
from badger_sweeps.core.settings import explain
from badger_sweeps.search.definition import Definition, definition
from badger_sweeps.search.racing import Race
from badger_sweeps.search.search import Search
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import finite_values
from badger_sweeps.search.storage import StorageAddress
from hydra_plugins.badger_sweeper._grammar import SearchParameters

ONE_SEED = ("QMCSampler",)
"""Samplers whose points form one sequence: all of them need the same seed."""


@dataclass(frozen=True)
class SearchSpecification:
    """Everything that a worker needs to work on a search, in a form that can be pickled.

    Attributes:
        address: address of the search's storage.
        name: name of the search there.
        folder: where trials leave their files.
        parameters: the searched and the fixed parameters.
        settings: how the search runs.
        sampler: configuration of the sampler.
        pruner: configuration of the pruner; None for none.
        race: configuration of seed racing; None trains all seeds at once.
        constraints: the maximum of each constrained quantity.
        extend: dotted name of `hydra.sweeper.custom_search_space`.
        overrides: given to every trial after its parameters.
        controller: id of the controller that starts the workers.
    """

    address: StorageAddress
    name: str
    folder: Path
    parameters: SearchParameters
    settings: SearchSettings
    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any] | None
    race: Mapping[str, Any] | None
    constraints: Mapping[str, float]
    extend: str | None
    overrides: Sequence[str] = ()
    controller: str = ""

    def open(self, config: DictConfig) -> Search:
        """Open the search; `config` is given to its `custom_search_space`."""
        extend = partial(get_method(self.extend), config) if self.extend else None
        space = self.parameters.space
        return Search(self.address, self.name, space, self.settings, self.build_sampler, self.folder, extend)

    def build_sampler(self, seed: int | None) -> BaseSampler:
        """The sampler with this seed; None leaves it the configured seed."""
        if self.settings.grid:
            return RandomSampler(seed)  # grid search needs it only for the parameters of `extend`
        given = dict(self.sampler)
        if str(given["_target_"]).endswith(".CmaEsSampler"):
            require("cmaes", "hydra/sweeper/sampler=cmaes")
        if seed is not None and "seed" in given and str(given["_target_"]).rsplit(".", 1)[-1] not in ONE_SEED:
            given["seed"] = seed
        elif seed is not None and "seed" in given:  # for parameters outside the sequence
            given.setdefault("independent_sampler", RandomSampler(seed))
        built = instantiate(given, _convert_="all")
        if not isinstance(built, BaseSampler):
            raise UsageError(f"`hydra.sweeper.sampler` must build one of Optuna's samplers; found {given['_target_']}.")
        return built


def specify(config: DictConfig, parameters: SearchParameters, folder: Path, controller: str) -> SearchSpecification:
    """The specification of the search in a multirun's configuration.

    Args:
        config: of the multirun.
        parameters: of the search.
        folder: where trials leave their files.
        controller: id of the controller that starts the workers.

    Raises:
        UsageError: a setting is not valid.
    """
    given = config.hydra.sweeper
    _check_numbers(given)
    directions = _directions(given.direction)
    sampler, pruner = plain_containers(given.sampler), plain_containers(given.get("pruner"))
    kind = str(sampler.get("_target_", "")).rsplit(".", 1)[-1]
    grid = kind == "GridSampler"
    distributions = parameters.space.distributions.items()
    infinite = [name for name, distribution in distributions if finite_values(distribution) is None]
    if kind in ("GridSampler", "BruteForceSampler") and infinite:
        raise UsageError(f"`{infinite[0]}` must be choice(...) or range(...) for {kind}; found an interval.")
    settings = SearchSettings(
        n_trials=given.n_trials,
        directions=directions,
        seed=sampler.get("seed", 0) if not grid else 0,
        grid=grid,
        max_retries=given.max_retries,
        heartbeat=max(0.05, float(given.heartbeat)),
        patience=float(given.patience),
        max_failure_rate=float(given.max_failure_rate),
        may_differ=tuple(str(key) for key in given.may_differ),
    )
    specification = SearchSpecification(
        address=StorageAddress.parse(given.storage, folder),
        name=str(given.study_name or folder.name),
        folder=folder,
        parameters=parameters,
        settings=settings,
        sampler=sampler,
        pruner=pruner if len(directions) == 1 else None,  # Optuna prunes no trials of several objectives
        race=_race(plain_containers(given.racing), directions, plain_containers(config.get("seeds"))),
        constraints={
            str(name): float(maximum) for name, maximum in (plain_containers(given.constraints) or {}).items()
        },
        extend=given.custom_search_space,
        controller=controller,
    )
    specification.build_sampler(0)
    if specification.pruner:
        instantiate(dict(specification.pruner), _convert_="all")
    return specification


def search_definition(config: DictConfig, parameters: SearchParameters) -> Definition:
    """The definition of the search in a multirun's configuration (`badger_sweeps.search.definition`)."""
    sweeper, overrides = config.hydra.sweeper, config.hydra.overrides.task
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    flat = dict(_flat(OmegaConf.to_container(job)))
    overridden = {str(override).partition("=")[0] for override in overrides}  # `flat` has their values already
    declared = [f"{name}={text}" for name, text in parameters.fixed.items() if name not in overridden]
    parsed = OverridesParser.create().parse_overrides(declared)
    fixed = {override.get_key_element(): override.value() for override in parsed}
    given = {**flat, **fixed, "hydra.sweeper.constraints": plain_containers(sweeper.constraints)}
    decisive = without(given, [str(key) for key in sweeper.may_differ])
    return definition(parameters.space, list(_directions(sweeper.direction)), decisive)


def _race(given: Any, directions: tuple[str, ...], seeds: Any) -> Mapping[str, Any] | None:
    if given is not None and not isinstance(given, dict):
        raise UsageError(f"`hydra.sweeper.racing` must be null or a mapping such as {{start: 3}}; found {given!r}.")
    if not given or given.get("start") is None:
        return None
    try:
        race = Race(**given)
    except ValidationError as error:
        raise UsageError(explain(error, "hydra.sweeper.racing")) from error
    count = len(seeds) if isinstance(seeds, list) else seeds
    if isinstance(count, int) and not race.significance_levels(count):
        limit = f"p is 1/2^n on n seeds, and may be {race.error_rate:.2g}"
        rule = f"must be able to end a trial before its last seed ({limit})"
        raise UsageError(f"`hydra.sweeper.racing` {rule}; found start={race.start} and {count} seeds.")
    if directions != ("minimize",):
        raise UsageError("`hydra.sweeper.racing` must be null in a search of several objectives; found a race.")
    return given


def plain_containers(node: Any) -> Any:
    """A configuration node as plain containers; None stays None."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _check_numbers(given: DictConfig) -> None:
    minimum = {"n_trials": 1, "n_jobs": 1, "max_retries": 0, "heartbeat": 0.0, "patience": 0.0, "max_failure_rate": 0.0}
    for key, bound in minimum.items():
        value, whole = given[key], isinstance(bound, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value < bound:
            rule = f"must be a {'whole ' if whole else ''}number of at least {bound}"
            raise UsageError(f"`hydra.sweeper.{key}` {rule}; found {value!r}.")


def _directions(given: Any) -> tuple[str, ...]:
    listed = tuple(given) if OmegaConf.is_list(given) else (given,)
    names = tuple(str(getattr(direction, "name", direction)) for direction in listed)
    if not names or not set(names) <= {"minimize", "maximize"}:
        found = list(names) if len(names) > 1 else given
        raise UsageError(f"`hydra.sweeper.direction` must be minimize or maximize, or a list of them; found {found!r}.")
    return names


def _flat(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(node, dict):
        return [(prefix, node)]
    return [leaf for key, child in node.items() for leaf in _flat(child, f"{prefix}.{key}".strip("."))]
