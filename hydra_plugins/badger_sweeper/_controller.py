"""The controller, one start of the command: it opens the search, starts workers, and prints the result."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from optuna.trial import TrialState
from rich.console import Console

from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.confirmation import baseline_and_best, confirmation_definition
from badger_sweeps.search.logger import SearchLogger
from badger_sweeps.search.polling import Poller
from badger_sweeps.search.results import write_results
from badger_sweeps.search.search import Search
from badger_sweeps.search.state import SearchState
from badger_sweeps.search.storage import StorageAddress, storage_errors
from badger_sweeps.search.table import SearchTable, relative_path, summary
from badger_sweeps.tracking.base import Tracking
from hydra_plugins.badger_sweeper._failures import SearchFailed, check_failures, first_line, root_cause
from hydra_plugins.badger_sweeper._grammar import parse_parameters
from hydra_plugins.badger_sweeper._points import first_point, warm_starts
from hydra_plugins.badger_sweeper._specification import (
    SearchSpecification,
    plain_containers,
    search_definition,
    specify,
)
from hydra_plugins.badger_sweeper._worker import WORKERS, Worker, worker_overrides

SECONDS_BETWEEN_STARTS = 1.0
MOST_STARTS_WITHOUT_PROGRESS = 3
"""Starts of workers in a row that may raise an error while no trial ends and no death is counted."""


class Controller:
    """One start of a search.

    Args:
        hydra_context: Hydra's.
        task_function: the application.
        config: of the multirun.
    """

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._hydra, self._task, self._config = hydra_context, task_function, config
        self._sweeper = config.hydra.sweeper
        self._console = Console()
        self._received_signal = 0
        self._id = f"{socket.gethostname()}:{os.getpid()}:{time.time():.0f}"

    def sweep(self, arguments: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Search, then confirm the best trial; returns the jobs of the trials, `n_jobs` to a batch."""
        folder = Path(str(self._config.hydra.sweep.dir)).absolute()
        parameters = parse_parameters(self._sweeper, arguments)
        specification = specify(self._config, parameters, folder, self._id)
        self._remove_password(specification.address)
        search = specification.open(self._config)
        first = warm_starts(parameters, self._config, self._compose)
        search.begin(search_definition(self._config, parameters), first, bool(self._sweeper.force))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._config, folder / "multirun.yaml")
        total, address = search.settings.n_trials, specification.address.text
        self._print(f"{search.name}: {total} trials in {relative_path(folder)}, stored in {address}")
        try:
            returns = self._run_workers(specification, search, self._tracking())
        except storage_errors() as error:
            reason = without_passwords(root_cause(error)).splitlines()[0]
            rule = f"must keep answering; found {address}: {reason}; the same command continues"
            raise UsageError(f"`hydra.sweeper.storage` {rule}.") from None
        state = search.state()
        write_results(state, _front(search), folder)
        check_failures(specification, state, returns, self._print)
        if self._sweeper.confirm and state.best is not None:
            self._confirm(specification, state)
        self._print(f"{state.name}: {summary(state)} | {relative_path(folder)}")
        jobs = [job for _, job in sorted(returns, key=lambda numbered: numbered[0])]
        size = max(1, int(self._sweeper.n_jobs))
        return [jobs[start : start + size] for start in range(0, len(jobs), size)]

    def _compose(self, overrides: list[str]) -> DictConfig:
        return self._hydra.config_loader.load_sweep_config(self._config, overrides)

    def _remove_password(self, address: StorageAddress) -> None:
        """Remove the storage's password from every configuration that is written to a file or sent to workers."""
        with read_write(self._config.hydra), open_dict(self._config.hydra):
            if self._sweeper.storage is not None:
                self._sweeper.storage = address.text
            for part in ("hydra", "task"):
                given = list(self._config.hydra.overrides[part])
                self._config.hydra.overrides[part] = [_with_address(str(override), address) for override in given]
            self._config.hydra.job.override_dirname = without_passwords(str(self._config.hydra.job.override_dirname))
        if HydraConfig.initialized():  # launchers send it to their jobs
            HydraConfig.instance().set_config(self._config)
        sys.argv[:] = [_with_address(argument, address) for argument in sys.argv]  # W&B stores it

    def _run_workers(
        self, specification: SearchSpecification, search: Search, tracking: Tracking | None = None
    ) -> list[tuple[int, JobReturn]]:
        """Start workers until all trials have ended.

        Returns:
            Number and job of each trial that these workers ended.

        Raises:
            SystemExit: a signal came.
        """
        returns: list[tuple[int, JobReturn]] = []
        table = SearchTable(self._console)
        consumers: list[Callable[[SearchState], None]] = [table.show]
        table.show(search.state())
        logger = None
        if tracking is not None:
            logger = SearchLogger(tracking, specification.folder, search.name, search.search_id)
            consumers.append(logger.log)
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with Poller(search, consumers, lambda: self._forward_signal(search)):
                self._start_workers(specification, search, returns)
        finally:
            table.close()
            _remove_if_empty(Path(str(self._config.hydra.sweep.dir)) / WORKERS)
            if logger is not None:
                logger.close(128 + self._received_signal if self._received_signal else 0)
            for number, handler in previous.items():
                signal.signal(number, handler)
        if self._received_signal:
            search.recover()
            write_results(search.state(), _front(search), specification.folder)
            same_command = f"the same command with hydra.sweep.dir={relative_path(specification.folder)} continues"
            self._print(f"{search.name}: stopped; {summary(search.state())}; {same_command}")
            raise SystemExit(128 + self._received_signal)
        return returns

    def _start_workers(
        self, specification: SearchSpecification, search: Search, returns: list[tuple[int, JobReturn]]
    ) -> None:
        """Start workers again and again until the search is finished or a signal comes; adds their jobs to `returns`.

        Raises:
            UsageError: of a worker.
            SearchFailed: workers end without ending a trial.
        """
        starts_without_progress = 0
        while not self._received_signal and not search.finished:
            if not search.claimable:  # other processes work on all trials that are left
                time.sleep(SECONDS_BETWEEN_STARTS)
                continue
            before, failure = search.ended_and_deaths, None
            try:
                returns += self._launch(specification)
            except (KeyboardInterrupt, SystemExit) as leaving:
                self._received_signal = self._received_signal or _signal_of(leaving)
            except UsageError:
                raise
            except Exception as error:  # joblib raises one when one of its processes was killed
                failure = error
                self._print(f"{search.name}: workers failed: {first_line(error)}")
            search.recover()
            starts_without_progress = starts_without_progress + 1 if search.ended_and_deaths == before else 0
            if failure is not None and starts_without_progress >= MOST_STARTS_WITHOUT_PROGRESS:
                raise failure
            if starts_without_progress >= 10 * MOST_STARTS_WITHOUT_PROGRESS:
                raise SearchFailed(f"{search.name}: workers end without having ended a trial")
            if starts_without_progress:  # for example, another process has not released a trial's folder yet
                time.sleep(SECONDS_BETWEEN_STARTS)

    def _launch(self, specification: SearchSpecification) -> list[tuple[int, JobReturn]]:
        """Start `n_jobs` workers once and wait for them; returns the jobs of the trials that they ended."""
        worker = Worker(specification, self._task, self._hydra, self._config)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._hydra, task_function=worker, config=self._config
        )
        sequential = type(launcher).__name__ == "BasicLauncher"  # it would start the second worker after the first
        count = 1 if sequential else min(int(self._sweeper.n_jobs), specification.settings.n_trials)
        # A worker's own job does not use these parameters, but without them its configuration may not compose.
        some = specification.parameters.overrides(first_point(specification.parameters.space))
        jobs = launcher.launch([[*some, *worker_overrides(number)] for number in range(count)], initial_job_idx=0)
        returns: list[tuple[int, JobReturn]] = []
        for job in jobs:
            result = job.return_value  # raises what the worker raised
            returns += result.returns
            self._received_signal = self._received_signal or result.signal
        return returns

    def _confirm(self, specification: SearchSpecification, state: SearchState) -> None:
        """Run the first trial's configuration and the best one on fresh seeds, as a search of its own."""
        points = baseline_and_best(state)
        confirmation = replace(
            specification,
            name=f"{specification.name} confirmation",
            folder=specification.folder / "confirmation",
            settings=replace(specification.settings, n_trials=len(points), max_failure_rate=1.0),
            pruner=None,
            race=None,
            constraints={},
            extend=None,
            overrides=tuple(str(override) for override in self._sweeper.confirm),
        )
        search = confirmation.open(self._config)
        search.begin(confirmation_definition(confirmation.overrides), [], bool(self._sweeper.force))
        search.add(points)  # after a larger total another trial may be the best
        if not search.finished:
            self._print(f"{search.name}: the first trial and the best, with {', '.join(confirmation.overrides)}")
            self._run_workers(confirmation, search)

    def _tracking(self) -> Tracking | None:
        """The tracker that the search is logged to; None if the application has none."""
        given = plain_containers(self._sweeper.tracking)
        built = instantiate(given, _convert_="all") if isinstance(given, dict) and "_target_" in given else None
        return built if isinstance(built, Tracking) else None

    def _on_signal(self, number: int, frame: Any) -> None:
        """Record the first signal, which the poller forwards to the workers; end this process at the second."""
        if self._received_signal:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._received_signal = number

    def _forward_signal(self, search: Search) -> None:
        if self._received_signal and not search.stop_requested(self._id):
            search.request_stop(self._id)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _front(search: Search) -> list[int]:
    """The numbers of the trials on the Pareto front; none with a single objective."""
    if len(search.settings.directions) == 1:
        return []
    return [trial.number for trial in search.optuna_study.best_trials if trial.state == TrialState.COMPLETE]


def _remove_if_empty(folder: Path) -> None:
    for path in (*folder.glob("*"), folder):
        with suppress(OSError):
            path.rmdir()


def _with_address(override: str, address: StorageAddress) -> str:
    """An override without passwords; that of the storage's address as the address without its password."""
    key, equals, _ = override.partition("=")
    return f"{key}={address.text}" if equals and key == "hydra.sweeper.storage" else without_passwords(override)


def _signal_of(leaving: BaseException) -> int:
    code = leaving.code if isinstance(leaving, SystemExit) else None
    return code - 128 if isinstance(code, int) and code > 128 else int(signal.SIGINT)
