"""The configuration that a run was started with, as it lies in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from badger_sweeps.configuration import resolvers

CONFIG = Path(".hydra") / "config.yaml"


def configuration(run: Path) -> dict[str, Any]:
    """A run's configuration by key; a choice of a group is the name of its class, by the group's own key."""
    assert resolvers.SCALES  # importing them registered what configurations are written with
    return _flat(OmegaConf.to_container(OmegaConf.load(run / CONFIG), resolve=True))


def run_folders(folder: Path) -> list[Path]:
    """The folders of all runs below a folder, whatever is left of them, in the order of their names."""
    return sorted(path.parent.parent for path in folder.rglob(str(CONFIG)))


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    if "_target_" in node:  # a choice: its class is worth more than where the class lies
        node = {**node, "": node["_target_"].rsplit(".", 1)[-1]}
        del node["_target_"]
    return {
        key: value for name, child in node.items() for key, value in _flat(child, f"{prefix}.{name}".strip(".")).items()
    }
