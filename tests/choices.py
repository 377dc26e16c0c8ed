"""Every choice of every group, as its YAML file describes it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from badger_sweeps.configuration import files
from badger_sweeps.evaluation.measures import Measures

SMALL = {
    "topology.experts": 5,
    "topology.links": 2,
    "architecture.hidden": 4,
    "architecture.message": 2,
}
"""Keys set where a choice has them; the others keep their defaults."""
DIMS = {"guessing_game": 2, "frequency": 5}


def choices_of(group: str) -> list[str]:
    """The choices of a group."""
    return sorted(path.stem for path in (files.folder() / group).glob("*.yaml"))


def composed(group: str, choice: str) -> DictConfig:
    """The configuration with one choice made; `topology=file` is given a file."""
    overrides = [f"{group}={choice}"]
    if choice == "file":
        overrides.append(f"topology.file={Path(__file__).with_name('ring_of_five.txt')}")
    with initialize_config_dir(str(files.folder()), version_base="1.3"):
        return compose(files.MAIN_CONFIG, overrides)


@cache
def small(group: str, choice: str) -> Any:
    """The object that a choice describes, at a size that tests can afford."""
    config = composed(group, choice)
    for key, value in SMALL.items():
        if key.startswith(f"{group}.") and OmegaConf.select(config, key) is not None and choice != "single":
            OmegaConf.update(config, key, value)
    if group == "task":
        config.task.dims = DIMS.get(choice, 2)
    return instantiate(config[group])


UNMEASURED: Measures = small("measures", "none")
"""Nothing is measured."""
