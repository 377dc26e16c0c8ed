"""What a search is: what ``hydra.sweeper`` and the command line say, checked, in a form that can be sent to workers."""

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
from badger_sweeps.core.settings import explain
from badger_sweeps.search.definition import Definition, definition, without
from badger_sweeps.search.racing import Race
from badger_sweeps.search.space import finite
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.study import Settings, Study
from hydra_plugins.badger_sweeper._grammar import SearchParameters

ONE_SEED = ("QMCSampler",)
"""Samplers whose draws are one sequence, which another seed for each draw would tear apart."""


@dataclass(frozen=True)
class Search:
    """All that a worker must know, in a form that can be sent to it.

    Attributes:
        place: where the study is kept.
        name: its name there.
        folder: where trials leave their files.
        parameters: what is searched, and what is fixed.
        settings: how.
        sampler: configuration of what draws new points.
        pruner: configuration of what stops trials early.
        race: configuration of seed racing; None trains all seeds at once.
        constraints: the most that each quantity may be.
        extend: dotted name of `hydra.sweeper.custom_search_space`.
        further: overrides that every trial is given beside its parameters.
        controller: who started the workers.
    """

    place: StorageAddress
    name: str
    folder: Path
    parameters: SearchParameters
    settings: Settings
    sampler: Mapping[str, Any]
    pruner: Mapping[str, Any] | None
    race: Mapping[str, Any] | None
    constraints: Mapping[str, float]
    extend: str | None
    further: Sequence[str] = ()
    controller: str = ""

    def study(self, config: DictConfig) -> Study:
        """The study, opened."""
        extend = partial(get_method(self.extend), config) if self.extend else None
        space = self.parameters.space
        return Study(self.place, self.name, space, self.settings, self.build_sampler, self.folder, extend)

    def build_sampler(self, seed: int | None) -> BaseSampler:
        """The sampler, with this seed; None leaves it the configured one."""
        if self.settings.grid:
            return RandomSampler(seed)  # draws only what an extended space adds
        given = dict(self.sampler)
        if seed is not None and "seed" in given and str(given["_target_"]).rsplit(".", 1)[-1] not in ONE_SEED:
            given["seed"] = seed
        elif seed is not None and "seed" in given:  # what the sequence leaves out is drawn anew for each trial
            given.setdefault("independent_sampler", RandomSampler(seed))
        built = instantiate(given, _convert_="all")
        if not isinstance(built, BaseSampler):
            raise UsageError(f"`hydra.sweeper.sampler` must build one of Optuna's samplers; found {given['_target_']}.")
        return built


def described(config: DictConfig, parameters: SearchParameters, folder: Path, controller: str) -> Search:
    """The search that a multirun's configuration describes.

    Raises:
        UsageError: a setting makes no sense.
    """
    given = config.hydra.sweeper
    _check_numbers(given)
    directions = _directions(given.direction)
    sampler, pruner = plain(given.sampler), plain(given.get("pruner"))
    kind = str(sampler.get("_target_", "")).rsplit(".", 1)[-1]
    grid = kind == "GridSampler"
    uncounted = [name for name, own in parameters.space.distributions.items() if finite(own) is None]
    if kind in ("GridSampler", "BruteForceSampler") and uncounted:
        raise UsageError(f"`{uncounted[0]}` must be choice(...) or range(...) for {kind}; found an interval.")
    settings = Settings(
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
    search = Search(
        place=StorageAddress.parse(given.storage, folder),
        name=str(given.study_name or folder.name),
        folder=folder,
        parameters=parameters,
        settings=settings,
        sampler=sampler,
        pruner=pruner if len(directions) == 1 else None,  # Optuna does not stop trials of several objectives
        race=_race(plain(given.racing), directions, plain(config.get("seeds"))),
        constraints={str(name): float(most) for name, most in (plain(given.constraints) or {}).items()},
        extend=given.custom_search_space,
        controller=controller,
    )
    search.build_sampler(0)
    if search.pruner:
        instantiate(dict(search.pruner), _convert_="all")
    return search


def defined(config: DictConfig, parameters: SearchParameters) -> Definition:
    """All that decides what the search's trials compute and how they are judged (`sweeps.definition`)."""
    sweeper, overrides = config.hydra.sweeper, config.hydra.overrides.task
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    flat = dict(_flat(OmegaConf.to_container(job)))
    here = {str(own).partition("=")[0] for own in overrides}  # and so in `flat`
    declared = [f"{name}={text}" for name, text in parameters.fixed.items() if name not in here]
    fixed = {own.get_key_element(): own.value() for own in OverridesParser.create().parse_overrides(declared)}
    given = {**flat, **fixed, "hydra.sweeper.constraints": plain(sweeper.constraints)}
    kept = without(given, [str(key) for key in sweeper.may_differ])
    return definition(parameters.space, list(_directions(sweeper.direction)), kept)


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
    if isinstance(count, int) and not race.levels(count):
        rule = f"must be able to end a trial before its last seed (p is 1/2^n on n seeds, and may be {race.wrong:.2g})"
        raise UsageError(f"`hydra.sweeper.racing` {rule}; found start={race.start} and {count} seeds.")
    if directions != ("minimize",):
        raise UsageError("`hydra.sweeper.racing` must be null in a search of several objectives; found a race.")
    return given


def plain(node: Any) -> Any:
    """A configuration node as plain containers; None stays None."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _check_numbers(given: DictConfig) -> None:
    least = {"n_trials": 1, "n_jobs": 1, "max_retries": 0, "heartbeat": 0.0, "patience": 0.0, "max_failure_rate": 0.0}
    for key, bound in least.items():
        value, whole = given[key], isinstance(bound, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value < bound:
            rule = f"must be a {'whole ' if whole else ''}number of at least {bound}"
            raise UsageError(f"`hydra.sweeper.{key}` {rule}; found {value!r}.")


def _directions(given: Any) -> tuple[str, ...]:
    listed = tuple(given) if OmegaConf.is_list(given) else (given,)
    names = tuple(str(getattr(own, "name", own)) for own in listed)
    if not names or not set(names) <= {"minimize", "maximize"}:
        found = list(names) if len(names) > 1 else given
        raise UsageError(f"`hydra.sweeper.direction` must be minimize or maximize, or a list of them; found {found!r}.")
    return names


def _flat(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(node, dict):
        return [(prefix, node)]
    return [own for key, child in node.items() for own in _flat(child, f"{prefix}.{key}".strip("."))]
