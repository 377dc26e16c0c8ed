"""The YAML files: their location, their keys, and the choices of each group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

import badger_sweeps
from badger_sweeps.configuration import naming, resolvers

MAIN_CONFIG = "config"
assert resolvers.SCALES  # importing the module registers the resolvers that the files use


def choices_help(group: str) -> str:
    """The lines of `--help` for a group: the name of each choice, and the first comment of its file."""
    lines = []
    for path in sorted((folder() / group).glob("*.yaml")):
        comments = (line for line in path.read_text().splitlines() if not line.startswith("# @package"))
        opening = next(comments, "").removeprefix("# ")
        lines.append(f"  {path.stem:<18} {opening}")
    return "\n".join(lines)


OmegaConf.register_new_resolver("choices", choices_help, replace=True)
OmegaConf.register_new_resolver(
    "run_folder", lambda choices, overrides: naming.run_folder(dict(choices), list(overrides)), replace=True
)


def folder() -> Path:
    """The folder of the YAML files: next to the package in a checkout, within it in a wheel."""
    package = Path(badger_sweeps.__file__).parent
    within = package / "conf"
    return within if within.is_dir() else package.parent / "conf"


def known_keys() -> list[str]:
    """All groups, all keys of the default configuration, and the keys of all other choices."""
    with _hydra():
        groups = GlobalHydra.instance().config_loader().list_groups("")
        keys = {*_flat(compose(MAIN_CONFIG)), *groups}
    for group in groups:
        for path in (folder() / group).glob("*.yaml"):
            keys |= _keys_of(group, path.stem)
    return sorted(keys)


def choices(group: str) -> list[str]:
    """The choices of a group; empty if there is no such group."""
    with _hydra():
        return sorted(GlobalHydra.instance().config_loader().get_group_options(group))


def choices_with(key: str) -> list[str]:
    """The choices of a key's group that have the key; empty if no choice has it."""
    group = key.split(".")[0]
    if group == "hydra":  # its groups have slashes in their names
        return []
    return [choice for choice in choices(group) if key in _keys_of(group, choice)]


def _keys_of(group: str, choice: str) -> set[str]:
    """The keys that a choice gives its group; composed only if its file is a user's, which takes ten times as long."""
    path = folder() / group / f"{choice}.yaml"
    if not path.exists():
        with _hydra():
            return set(_flat(compose(MAIN_CONFIG, [f"{group}={choice}"])))
    content = cast(DictConfig, OmegaConf.load(path))
    inherited = (each for each in content.get("defaults", []) if isinstance(each, str))
    keys = set().union(*(_keys_of(group, each) for each in inherited))
    own = OmegaConf.to_container(content)
    if "@package _global_" in path.read_text():
        own = own.get(group)  # type: ignore[union-attr]
    return keys.union(_nested(own, group)) - {f"{group}.defaults"}


@contextmanager
def _hydra() -> Iterator[None]:
    """Use Hydra as the running command initialised it, or initialise it within this context."""
    if GlobalHydra.instance().is_initialized():
        yield
    else:
        with initialize_config_dir(str(folder()), version_base="1.3"):
            yield


def _nested(node: Any, prefix: str) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield f"{prefix}.{name}"
            yield from _nested(value, f"{prefix}.{name}")


def _flat(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        yield f"{prefix}{key}"
        value = OmegaConf.select(config, key)
        if isinstance(value, DictConfig):
            yield from _flat(value, f"{prefix}{key}.")
