"""A Hydra application with nothing of ours: the squared distance from the origin."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig


@hydra.main(version_base=None, config_path="sphere", config_name="config")
def sphere(config: DictConfig) -> float:
    if config.error:
        raise RuntimeError("the configuration asks for an error")
    return float(config.x) ** 2 + float(config.y) ** 2


if __name__ == "__main__":
    sphere()
