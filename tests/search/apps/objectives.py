"""A Hydra application with two objectives: Binh and Korn's problem, without its constraints."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig


@hydra.main(version_base=None, config_path="objectives", config_name="config")
def objectives(config: DictConfig) -> tuple[float, float]:
    return 4 * config.x**2 + 4 * config.y**2, (config.x - 5) ** 2 + (config.y - 5) ** 2


if __name__ == "__main__":
    objectives()
