"""A Hydra application whose search space is in part code: z lies near x, and w is no key of the configuration."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig
from optuna.trial import Trial


def extend(config: DictConfig, trial: Trial) -> None:
    x = trial.params["x"]
    trial.suggest_float("z", x - config.reach, x + config.reach)
    trial.suggest_float("+w", 0.0, 1.0)


@hydra.main(version_base=None, config_path="extended", config_name="config")
def extended(config: DictConfig) -> float:
    return float(config.w**2 + config.x**2 + config.y**2 + config.z**2)


if __name__ == "__main__":
    extended()
