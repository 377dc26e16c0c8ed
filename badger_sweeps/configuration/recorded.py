"""The configuration that a run was started with, from the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from badger_sweeps.configuration import resolvers

CONFIG = Path(".hydra") / "config.yaml"


def configuration(run: Path) -> dict[str, Any]:
    """A run's configuration by dotted key; the key of a group has the name of the choice's class."""
    assert resolvers.SCALES  # importing the module registers the resolvers that configurations use
    return _flat(OmegaConf.to_container(OmegaConf.load(run / CONFIG), resolve=True))


def run_folders(folder: Path) -> list[Path]:
    """The folders of all runs below a folder, complete or not, in the order of their names."""
    return sorted(path.parent.parent for path in folder.rglob(str(CONFIG)))


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    if "_target_" in node:  # a choice: the class without its module
        node = {**node, "": node["_target_"].rsplit(".", 1)[-1]}
        del node["_target_"]
    return {
        key: value for name, child in node.items() for key, value in _flat(child, f"{prefix}.{name}".strip(".")).items()
    }
