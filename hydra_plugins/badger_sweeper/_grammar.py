"""Parses search spaces: the grammar of Hydra's Optuna sweeper, with the cases that it leaves out."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, Quote, QuotedString, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.space import Space

NOT_SEARCHABLE = ("seeds", "training.iterations")
"""Keys of badger_sweeps that must be the same in every trial: trials that differ in them cannot be compared."""


@dataclass(frozen=True)
class SearchParameters:
    """The parameters of a search, as its configuration and its command line give them.

    Attributes:
        space: the searched parameters.
        order: all keys, searched and fixed, in the order of a job's overrides.
        fixed: the values of the fixed parameters, as text.
        deleted: overrides such as ``~key``, which come last.
    """

    space: Space
    order: tuple[str, ...]
    fixed: Mapping[str, str]
    deleted: tuple[str, ...] = ()

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides of one trial's job; parameters that are not declared (`custom_search_space`) come last."""
        values = {**{name: _override_text(value) for name, value in params.items()}, **self.fixed}
        order = [*self.order, *(name for name in params if name not in self.order)]
        return [*(f"{name}={values[name]}" for name in order if name in values), *self.deleted]


def parse_parameters(sweeper: Mapping[str, Any], arguments: Sequence[str]) -> SearchParameters:
    """Parse the parameters in `hydra.sweeper` and on the command line, which has precedence.

    Raises:
        UsageError: a parameter has no valid distribution, or must not be searched.
    """
    initialized = GlobalHydra.instance().is_initialized()  # its loader knows the choices that glob(...) stands for
    parser = OverridesParser.create(GlobalHydra.instance().config_loader() if initialized else None)
    overrides: dict[str, Override | BaseDistribution] = {}
    declared = sweeper.get("params")
    if declared is not None and sweeper.get("search_space") is not None:
        both = "Both hydra.sweeper.params and hydra.sweeper.search_space are configured"
        warnings.warn(f"{both}; params are searched.", stacklevel=2)
    if declared is None:
        for name, node in (sweeper.get("search_space") or {}).items():
            overrides[name] = _from_config(f"hydra.sweeper.search_space.{name}", node)
    for name, value in (declared or {}).items():
        if isinstance(value, Mapping | DictConfig):
            overrides[name] = _from_config(f"hydra.sweeper.params.{name}", value)
            continue
        try:
            overrides[name] = parser.parse_override(
                f"{name}={value if isinstance(value, str) else _override_text(value)}"
            )
        except HydraException as error:
            rule = "must be choice(...), range(...), interval(...) or a value"
            raise UsageError(f"`hydra.sweeper.params.{name}` {rule}; found {value!r}.") from error
    for override in parser.parse_overrides(list(arguments)):
        key = override.get_key_element()
        for name in [name for name in overrides if name != key and _without_prefix(name) == _without_prefix(key)]:
            del overrides[name]  # +key in params is the same parameter as key on the command line
        overrides[key] = override
    distributions: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    fixed_values: dict[str, str] = {}
    deleted: list[str] = []
    for name, given in overrides.items():
        if isinstance(given, BaseDistribution):
            distributions[name] = given
        elif given.is_delete():
            deleted.append(str(given.input_line))
        elif given.is_sweep_override():
            distributions[name] = _from_override(name, given)
        else:
            fixed[name] = given.get_value_element_as_str()
            fixed_values[name] = str(plain_choice(given.value()))
    for name in distributions:
        if _without_prefix(name) in NOT_SEARCHABLE:
            found = getattr(overrides[name], "input_line", None) or overrides[name]
            raise UsageError(f"`{_without_prefix(name)}` must be the same in every trial of a search; found {found}.")
    order = tuple(name for name in overrides if name in distributions or name in fixed)
    space = Space(distributions, fixed_values, _conditions(sweeper.get("when") or {}))
    return SearchParameters(space, order, fixed, tuple(deleted))


def _conditions(when: Mapping[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for name, condition in when.items():
        try:
            override = OverridesParser.create().parse_override(str(condition))
            values = _values(override) if override.is_choice_sweep() else [plain_choice(override.value())]
        except HydraException:
            values = []
        if not values or "" in values:
            raise UsageError(
                f"`hydra.sweeper.when.{name}` must be OTHER=VALUE or OTHER=VALUE,...; found {condition!r}."
            )
        found[name] = (override.get_key_element(), tuple(map(str, values)))
    return found


def _from_override(name: str, override: Override) -> BaseDistribution:
    value = override.value()
    try:
        if override.is_choice_sweep() or (isinstance(value, RangeSweep) and value.shuffle):
            return CategoricalDistribution(_values(override))
        if isinstance(value, RangeSweep):
            start, stop, step = value.start, value.stop, value.step
            assert start is not None
            assert stop is not None
            _check_finite(start, stop)
            if any(isinstance(number, float) for number in (start, stop, step)):
                return FloatDistribution(float(start), float(stop), step=float(step))
            return IntDistribution(int(start), int(stop), step=int(step))
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            assert low is not None
            assert high is not None
            _check_finite(low, high)
            log = "log" in value.tags
            if isinstance(low, int) and isinstance(high, int):
                return IntDistribution(low, high, log=log)
            return FloatDistribution(float(low), float(high), log=log)
    except (ValueError, TypeError, AssertionError) as error:
        raise UsageError(f"`{name}` must be a range that can be searched; found {_reason(error)}.") from error
    raise UsageError(f"`{name}` must be choice(...), range(...), interval(...) or a value; found {override}.")


def _values(override: Override) -> list[Any]:
    """The values of a choice or range; a shuffled one has the same order at every start, since the order defines it."""
    sweep = override.value()
    shuffled = isinstance(sweep, ChoiceSweep | RangeSweep) and sweep.shuffle
    if shuffled:
        override = replace(override, _value=replace(cast(ChoiceSweep | RangeSweep, sweep), shuffle=False))
    values = [plain_choice(value) for value in override.sweep_iterator(transformer=Override._convert_value)]
    return random.Random(0).sample(values, len(values)) if shuffled else values


def plain_choice(value: Any) -> Any:
    """A choice as Optuna stores it: a plain value, or the text that Hydra parses as exactly this value."""
    value = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and _parsed(value) == value):
        return value
    return Override._get_value_element_as_str(_quoted(value))


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isidentifier() and _parsed(value) == value else QuotedString(value, Quote.single)
    if isinstance(value, list):
        return [_quoted(element) for element in value]
    return {key: _quoted(element) for key, element in value.items()} if isinstance(value, dict) else value


def _parsed(text: str) -> Any:
    """The value that Hydra parses from a text; `Ellipsis` where the text is no single value."""
    try:
        override = OverridesParser.create().parse_override(f"key={text}")
    except HydraException:
        return ...
    return ... if override.is_sweep_override() else override.value()


def _from_config(key: str, node: Any) -> BaseDistribution:
    """A distribution from ``{type: float, low: 1, high: 10, log: true}``, ``{type: categorical, choices: [1, 2]}``."""
    given = OmegaConf.to_container(node) if OmegaConf.is_config(node) else node
    if not isinstance(given, dict):
        raise UsageError(f"`{key}` must be {{type: ..., ...}}; found {given!r}.")
    kind, low, high, step = given.get("type"), given.get("low"), given.get("high"), given.get("step")
    log = bool(given.get("log"))
    try:
        if kind == "categorical":
            return CategoricalDistribution([plain_choice(choice) for choice in given["choices"]])
        if kind in ("int", "float"):
            _check_finite(float(cast(float, low)), float(cast(float, high)))
        if kind == "int":
            return IntDistribution(int(cast(int, low)), int(cast(int, high)), log=log, step=int(step or 1))
        if kind == "float":
            size = None if step is None or log else float(step)
            return FloatDistribution(float(cast(float, low)), float(cast(float, high)), log=log, step=size)
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"`{key}` must be a distribution; found {_reason(error)}.") from error
    raise UsageError(f"`{key}.type` must be int, float or categorical; found {kind!r}.")


def _without_prefix(name: str) -> str:
    return name.lstrip("+~")


def _check_finite(low: float, high: float) -> None:
    if not (isfinite(low) and isfinite(high)):
        raise ValueError(f"{low} to {high}")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".")


def _override_text(value: Any) -> str:
    """A value as text for an override; a string that Hydra parses as one value stays as it is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and _parsed(value) is not ...:
        return value
    return str(plain_choice(value))
