"""The configurations of runs, studies and searches, from their folders, in the words of this version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from badger_sweeps.configuration import resolvers
from badger_sweeps.core.errors import UsageError

CONFIG = Path(".hydra") / "config.yaml"
HYDRA = CONFIG.with_name("hydra.yaml")
MULTIRUN = "multirun.yaml"
"""The file with the configuration of a search or a study, in its folder."""

RENAMED_CLASSES = {
    "badger_sweeps.evaluation.growth.AddingExperts": "badger_sweeps.evaluation.adding_experts.AddingExperts",
    "badger_sweeps.evaluation.sequentiality.TakingTurns": "badger_sweeps.evaluation.sequentiality.Sequentiality",
    "badger_sweeps.evaluation.silenced.Silenced": "badger_sweeps.evaluation.message_ablation.MessageAblation",
}
"""Classes that earlier versions recorded, with their present names."""
RENAMED_KEYS = {"measures.silenced": "measures.message_ablation"}
"""The same for keys."""


def configuration(run: Path) -> dict[str, Any]:
    """A run's configuration by dotted key; the key of a group has the name of the choice's class.

    Raises:
        UsageError: the file is damaged.
        FileNotFoundError: there is no file.
    """
    assert resolvers.SCALES  # importing the module registers the resolvers that configurations use
    config = recorded_config(run)
    try:
        return _flat(OmegaConf.to_container(config, resolve=True))
    except OmegaConfBaseException as error:
        raise damaged(run / CONFIG, error) from error


def recorded_config(run: Path) -> DictConfig:
    """A run's configuration as it was composed, with the classes and keys that have been renamed since.

    Raises:
        UsageError: the file is damaged.
        FileNotFoundError: there is no file.
    """
    config = _load(run / CONFIG)
    for old, new in RENAMED_KEYS.items():
        if (node := OmegaConf.select(config, old)) is not None:
            OmegaConf.update(config, new, node, force_add=True)
            above, _, last = old.rpartition(".")
            del OmegaConf.select(config, above)[last]
    _rename_classes(config)
    return config


def recorded_hydra(run: Path) -> DictConfig:
    """Hydra's part of a run's configuration; errors as in `recorded_config`."""
    hydra = _load(run / HYDRA).get("hydra")
    if not isinstance(hydra, DictConfig):
        raise damaged(run / HYDRA, KeyError("hydra"))
    return hydra


def recorded_multirun(folder: Path) -> DictConfig:
    """The configuration of the search or study in a folder; errors as in `recorded_config`."""
    return _load(folder / MULTIRUN)


def run_folders(folder: Path) -> list[Path]:
    """The folders of all runs below a folder, complete or not, in the order of their names."""
    return sorted(path.parent.parent for path in folder.rglob(str(CONFIG)))


def _load(path: Path) -> DictConfig:
    try:
        loaded = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise damaged(path, error) from error
    if not isinstance(loaded, DictConfig):
        raise damaged(path, TypeError("not a mapping"))
    return loaded


def damaged(path: Path, error: Exception) -> UsageError:
    """The error for a file that holds no complete configuration."""
    reason = " ".join(str(error).split())
    return UsageError(f"`{path}` must be a recorded configuration; found a damaged one ({reason}).")


def _rename_classes(node: Any) -> None:
    """Replace the targets in `RENAMED_CLASSES` in a configuration."""
    for key in list(node):
        if OmegaConf.is_interpolation(node, key) or OmegaConf.is_missing(node, key):
            continue
        value = node[key]
        if isinstance(value, DictConfig):
            _rename_classes(value)
        elif key == "_target_":
            node[key] = RENAMED_CLASSES.get(value, value)


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    if "_target_" in node:  # a choice: the class without its module
        node = {**node, "": node["_target_"].rsplit(".", 1)[-1]}
        del node["_target_"]
    return {
        key: value for name, child in node.items() for key, value in _flat(child, f"{prefix}.{name}".strip(".")).items()
    }
