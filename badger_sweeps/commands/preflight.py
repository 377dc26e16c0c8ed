"""Checks of every run of a command before Hydra writes its first file, so that a user error changes no file."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from badger_sweeps.commands.errors import explained
from badger_sweeps.commands.importing import import_uncollected
from badger_sweeps.core.errors import UsageError


class Preflight(Callback):
    """A callback that Hydra calls after it has composed the configurations and before it writes files.

    It raises SystemExit, since Hydra turns other exceptions of callbacks into warnings.
    """

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        with _exit_on_error():
            _check(config, _named_folder(config, "hydra.run.dir"))

    def on_multirun_start(self, config: DictConfig, config_name: str = "config", **_: Any) -> None:
        with _exit_on_error():
            if str(config.hydra.sweeper._target_).endswith(".BadgerSweeper"):
                _check_search(config, config_name)
                return
            base, folders = _named_folder(config, "hydra.sweep.dir"), set[Path]()
            for number, overrides in enumerate(_jobs(config)):
                job = compose(config_name, [*_typed(config, "hydra"), *overrides], return_hydra_config=True)
                job.hydra.job.num = number  # launchers number the jobs, and a folder may be named after its number
                folder = base / str(job.hydra.sweep.subdir)
                _check(job, folder)
                if folder in folders:
                    raise UsageError(f"`hydra.sweep.subdir` must differ from job to job; found `{folder}` twice.")
                folders.add(folder)
            if not folders:
                raise UsageError("`-m` must give at least one job; found a key with no values.")


@contextmanager
def _exit_on_error() -> Iterator[None]:
    """Raise SystemExit on any error, since Hydra would turn the error into a warning and start the job."""
    try:
        yield
    except Exception as error:
        exit_error = explained(error)
        if exit_error is error:
            traceback.print_exception(error)
            exit_error = SystemExit(1)
        raise exit_error from error


def _named_folder(config: DictConfig, key: str) -> Path:
    folder = OmegaConf.select(config, key)
    if not folder:
        raise UsageError(f"`{key}` must name a folder; found {folder!r}.")
    return Path(folder)


def _check(config: DictConfig, folder: Path) -> None:
    import_uncollected("badger_sweeps.configuration.builder")  # which loads PyTorch
    from badger_sweeps.configuration.builder import plan

    _must_be_writable(folder)
    job = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    planned = plan(job, config.hydra, folder)
    planned.check_libraries()
    planned.check_folder()


def _check_search(config: DictConfig, config_name: str) -> None:
    """Check the configurations in a search's space; the search creates its trials' folders itself."""
    import_uncollected("badger_sweeps.configuration.builder")  # which loads PyTorch
    import_uncollected("hydra_plugins.badger_sweeper._points")
    from badger_sweeps.configuration.builder import plan
    from hydra_plugins.badger_sweeper._points import covering, representatives

    folder = _named_folder(config, "hydra.sweep.dir")
    _must_be_writable(folder)

    @cache  # a composition takes 0.1 s or more
    def composed_once(overrides: tuple[str, ...]) -> DictConfig:
        return compose(config_name, [*_typed(config, "hydra"), *overrides], return_hydra_config=True)

    def composed(overrides: list[str]) -> DictConfig:
        return composed_once(tuple(overrides))

    @cache
    def check(overrides: tuple[str, ...]) -> None:
        job = composed_once(overrides)
        plan(
            OmegaConf.masked_copy(job, [str(key) for key in job if key != "hydra"]), job.hydra, folder
        ).check_libraries()

    suspects = set[str]()
    valid = set[str]()
    try:
        for overrides in covering(config, composed):
            suspects = {*overrides} - valid
            check(tuple(overrides))
            valid |= suspects
    except Exception:  # raise the error of a single value; if only combinations of values fail, so will their trials
        alone = list(representatives(config, composed))
        for overrides in sorted(alone, key=suspects.isdisjoint):  # those with a value that may be to blame come first
            check(tuple(overrides))


def _must_be_writable(folder: Path) -> None:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise UsageError(f"`{folder}` must be a folder; found the file `{existing}`.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UsageError(
            f"`{folder}` must be a folder that can be written; found no permission to write in `{existing}`."
        )


def _typed(config: DictConfig, kind: Literal["hydra", "task"]) -> list[str]:
    """Overrides as they were typed: an interpolation in them is for the job's configuration, not for this one."""
    overrides = OmegaConf.to_container(config.hydra.overrides[kind], resolve=False)
    assert isinstance(overrides, list)
    return overrides


def _jobs(config: DictConfig) -> Iterator[list[str]]:
    """The overrides of every job that Hydra's basic sweeper, or our sweeper of arms, will start, in its order."""
    from hydra_plugins.badger_sweeper.arms import jobs

    sweeper = config.hydra.sweeper
    parameters = OmegaConf.select(sweeper, "params") or {}
    arguments = [*(f"{key}={value}" for key, value in parameters.items()), *_typed(config, "task")]
    overrides = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(arguments)
    if "arms" in sweeper:
        yield from jobs(sweeper.arms, overrides)
        return
    choices: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        values = (
            override.sweep_string_iterator() if override.is_sweep_override() else [override.get_value_element_as_str()]
        )
        choices[key] = [f"{key}={value}" for value in values]
    for job in product(*choices.values()):
        yield list(job)
