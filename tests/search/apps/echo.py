"""A Hydra application that writes down the configuration that it was given."""

from __future__ import annotations

import json
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf


@hydra.main(version_base=None, config_path="echo", config_name="config")
def echo(config: DictConfig) -> float:
    file = Path(HydraConfig.get().runtime.output_dir) / "config.json"
    file.write_text(json.dumps(OmegaConf.to_container(config)))
    return 0.0


if __name__ == "__main__":
    echo()
