"""OmegaConf resolvers of the YAML files, such as ``${by_scale:600,5000}``; importing this module registers them."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf


def beta_for(iterations: Any) -> float:
    """The decay per iteration with which the second half of training is without chaos (`architectures/tcnn.py`)."""
    valid = isinstance(iterations, int) and iterations > 2
    return 2 / iterations if valid else 1.0  # `Training` reports what is wrong with another value


SCALES = ("quick", "full")
"""The scales of a study."""


def by_scale(quick: Any, full: Any, _root_: DictConfig) -> Any:
    """The value of a study's setting at the configured scale: ``${by_scale:600,5000}``."""
    return quick if _root_.scale == "quick" else full  # the configuration builder refuses an unknown scale


def fresh_seeds(count: int, _root_: DictConfig) -> str:
    """A list of `count` seeds that are larger than all of `seeds`."""
    seeds = _root_.seeds
    first = max(seeds) + 1 if OmegaConf.is_list(seeds) else int(seeds)
    return "[" + ",".join(map(str, range(first, first + count))) + "]"


OmegaConf.register_new_resolver("by_scale", by_scale, replace=True)
OmegaConf.register_new_resolver("fresh_seeds", fresh_seeds, replace=True)
OmegaConf.register_new_resolver("beta_for", beta_for, replace=True)
