"""Checks every run of a command before Hydra writes its first file, so that a mistake costs and spoils nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from badger_sweeps.commands.complaints import complain
from badger_sweeps.foundations.errors import UsageError


class Preflight(Callback):
    """Hydra calls this when configurations are composed and nothing is written yet.

    It leaves with SystemExit, since Hydra turns a callback's exceptions into warnings.
    """

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        try:
            _check(config, Path(config.hydra.run.dir))
        except Exception as error:
            raise complain(error) from error.__cause__

    def on_multirun_start(self, config: DictConfig, config_name: str = "config", **_: Any) -> None:
        try:
            for overrides in _jobs(config):
                job = compose(config_name, overrides, return_hydra_config=True)
                _check(job, Path(config.hydra.sweep.dir) / job.hydra.sweep.subdir)
        except Exception as error:
            raise complain(error) from error.__cause__


def _check(config: DictConfig, folder: Path) -> None:
    from badger_sweeps.commands.door import plan  # loads PyTorch

    _must_be_writable(folder)
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    plan(job, config.hydra, folder).load_checkpoint()


def _must_be_writable(folder: Path) -> None:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise UsageError(f"`{folder}` must be a folder; found the file `{existing}`.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(
            f"`{folder}` must be a folder that can be written; found no permission to write in `{existing}`."
        )


def _jobs(config: DictConfig) -> Iterator[list[str]]:
    """The overrides of every job that Hydra's basic sweeper will start, in its order."""
    parameters = OmegaConf.select(config, "hydra.sweeper.params") or {}
    arguments = [*(f"{key}={value}" for key, value in parameters.items()), *config.hydra.overrides.task]
    choices: dict[str, list[str]] = {}
    for override in OverridesParser.create().parse_overrides(arguments):
        key = override.get_key_element()
        values = (
            override.sweep_string_iterator() if override.is_sweep_override() else [override.get_value_element_as_str()]
        )
        choices[key] = [f"{key}={value}" for value in values]
    for job in product(*choices.values()):
        yield list(job)
