"""What the YAML files compute: importing this makes ``${by_scale:600,5000}`` and the others known to OmegaConf."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf


def beta_for(iterations: Any) -> float:
    """A decay that leaves the second half of so many iterations without chaos (`architectures/tcnn.py`)."""
    valid = isinstance(iterations, int) and iterations > 2
    return 2 / iterations if valid else 1.0  # what is wrong with another value is said where it belongs


SCALES = ("quick", "full")
"""What a study's size may be."""


def by_scale(quick: Any, full: Any, _root_: DictConfig) -> Any:
    """A study's value at the scale chosen: ``${by_scale:600,5000}``."""
    return quick if _root_.scale == "quick" else full  # a scale that there is not is refused where it belongs


def fresh_seeds(count: int, _root_: DictConfig) -> str:
    """So many seeds, as a list, that come after all of `seeds`."""
    seeds = _root_.seeds
    first = max(seeds) + 1 if OmegaConf.is_list(seeds) else int(seeds)
    return "[" + ",".join(map(str, range(first, first + count))) + "]"


OmegaConf.register_new_resolver("by_scale", by_scale, replace=True)
OmegaConf.register_new_resolver("fresh_seeds", fresh_seeds, replace=True)
OmegaConf.register_new_resolver("beta_for", beta_for, replace=True)
