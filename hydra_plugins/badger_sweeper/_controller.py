"""What one start of the command does: it opens the study, starts workers until all is done, and tells the result."""

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
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from optuna.trial import TrialState
from rich.console import Console

from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.confirmation import baseline_and_best, confirmation_definition
from badger_sweeps.search.logger import SearchLogger
from badger_sweeps.search.polling import Poller, look
from badger_sweeps.search.results import write_results
from badger_sweeps.search.snapshot import SearchSnapshot
from badger_sweeps.search.storage import STORAGE_ERRORS, StorageAddress
from badger_sweeps.search.study import Study
from badger_sweeps.search.table import SearchTable, summary, where
from badger_sweeps.search.trial_outcome import TrialStatus
from badger_sweeps.tracking.base import Tracking
from hydra_plugins.badger_sweeper._grammar import some_point, parse_parameters, warm_starts
from hydra_plugins.badger_sweeper._search import Search, defined, described, plain
from hydra_plugins.badger_sweeper._worker import WORKERS, Worker, worker_overrides

SECONDS_BETWEEN_LOOKS = 1.0
FRUITLESS = 3
"""Starts of workers in a row that may break down without a trial having ended, or a death having been counted."""


class SweepFailed(HydraException):
    """The search came to nothing; the message is for the user."""


class Controller:
    """One start of a sweep.

    Args:
        hydra_context: Hydra's.
        task_function: the application.
        config: of the multirun.
    """

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._hydra, self._task, self._config = hydra_context, task_function, config
        self._sweeper = config.hydra.sweeper
        self._console = Console()
        self._signal = 0
        self._id = f"{socket.gethostname()}:{os.getpid()}:{time.time():.0f}"

    def sweep(self, arguments: Sequence[str]) -> list[Sequence[JobReturn]]:
        """Search, then confirm what was found."""
        folder = Path(str(self._config.hydra.sweep.dir)).absolute()
        parameters = parse_parameters(self._sweeper, arguments)
        search = described(self._config, parameters, folder, self._id)
        self._forget_password(search.place)
        study = search.study(self._config)
        first = warm_starts(parameters, self._config, self._composed)
        study.begin(defined(self._config, parameters), first, bool(self._sweeper.force))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._config, folder / "multirun.yaml")
        self._say(f"{study.name}: {study.settings.n_trials} trials in {where(folder)}, kept in {search.place.address}")
        try:
            returns = self._work(search, study, self._tracking())
        except STORAGE_ERRORS as error:
            reason = without_passwords(_innermost(error)).splitlines()[0]
            rule = f"must keep answering; found {search.place.address}: {reason}; the same command goes on"
            raise UsageError(f"`hydra.sweeper.storage` {rule}.") from None
        view = look(study)
        write_results(view, _front(study), folder)
        self._check(search, view, returns)
        if self._sweeper.confirm and view.best is not None:
            self._confirm(search, view)
        self._say(_conclusion(view, folder))
        jobs = [job for _, job in sorted(returns, key=lambda own: own[0])]
        size = max(1, int(self._sweeper.n_jobs))
        return [jobs[start : start + size] for start in range(0, len(jobs), size)]

    def _composed(self, overrides: list[str]) -> DictConfig:
        return self._hydra.config_loader.load_sweep_config(self._config, overrides)

    def _forget_password(self, place: StorageAddress) -> None:
        """Keep the storage's password out of every configuration that is written down or sent to workers."""
        with read_write(self._config.hydra), open_dict(self._config.hydra):
            if self._sweeper.storage is not None:
                self._sweeper.storage = place.address
            for part in ("hydra", "task"):
                given = list(self._config.hydra.overrides[part])
                self._config.hydra.overrides[part] = [_with_address(str(own), place) for own in given]
            self._config.hydra.job.override_dirname = without_passwords(str(self._config.hydra.job.override_dirname))
        if HydraConfig.initialized():  # launchers send it along
            HydraConfig.instance().set_config(self._config)
        sys.argv[:] = [_with_address(own, place) for own in sys.argv]  # W&B keeps it

    def _work(self, search: Search, study: Study, tracking: Tracking | None = None) -> list[tuple[int, JobReturn]]:
        """Start workers until all trials have ended.

        Raises:
            SystemExit: a signal came.
        """
        returns: list[tuple[int, JobReturn]] = []
        table = SearchTable(self._console)
        consumers: list[Callable[[SearchSnapshot], None]] = [table.show]
        table.show(look(study))
        teller = SearchLogger(tracking, search.folder, study.name, study.identity) if tracking is not None else None
        if teller is not None:
            consumers.append(teller.show)
        fruitless = 0
        previous = {number: signal.signal(number, self._noted) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with Poller(study, consumers, lambda: self._pass_on(study)):
                while not self._signal and not study.finished:
                    if not study.claimable:  # others work on what is left
                        time.sleep(SECONDS_BETWEEN_LOOKS)
                        continue
                    before, broken = study.progress, None
                    try:
                        returns += self._launch(search)
                    except (KeyboardInterrupt, SystemExit) as leaving:
                        self._signal = self._signal or _signal_of(leaving)
                    except UsageError:
                        raise
                    except Exception as error:  # joblib's, when one of its processes was killed
                        broken = error
                        self._say(f"{study.name}: workers broke down: {_first_line(error)}")
                    study.recover()
                    fruitless = fruitless + 1 if study.progress == before else 0
                    if broken is not None and fruitless >= FRUITLESS:
                        raise broken
                    if fruitless >= 10 * FRUITLESS:
                        raise SweepFailed(f"{study.name}: workers end without having ended a trial")
                    if fruitless:  # a trial that another process has not let go of yet, say
                        time.sleep(SECONDS_BETWEEN_LOOKS)
        finally:
            table.close(None)
            _remove_if_empty(Path(str(self._config.hydra.sweep.dir)) / WORKERS)
            if teller is not None:
                teller.close(128 + self._signal if self._signal else 0)
            for number, handler in previous.items():
                signal.signal(number, handler)
        if self._signal:
            study.recover()
            write_results(look(study), _front(study), search.folder)
            again = "the same command"
            self._say(
                f"{study.name}: stopped; {summary(look(study))}; {again} with "
                f"hydra.sweep.dir={where(search.folder)} goes on"
            )
            raise SystemExit(128 + self._signal)
        return returns

    def _launch(self, search: Search) -> list[tuple[int, JobReturn]]:
        """One start of `n_jobs` workers; gives their jobs."""
        worker = Worker(search, self._task, self._hydra, self._config)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._hydra, task_function=worker, config=self._config
        )
        alone = type(launcher).__name__ == "BasicLauncher"  # it would start the second one after the first
        count = 1 if alone else min(int(self._sweeper.n_jobs), search.settings.n_trials)
        some = search.parameters.overrides(some_point(search.parameters.space))  # only so that it can be composed
        own = [[*some, *worker_overrides(number)] for number in range(count)]
        jobs = launcher.launch(own, initial_job_idx=0)
        found: list[tuple[int, JobReturn]] = []
        for job in jobs:
            shift = job.return_value  # raises what the worker raised
            found += shift.returns
            self._signal = self._signal or shift.signal
        return found

    def _check(self, search: Search, view: SearchSnapshot, returns: Sequence[tuple[int, JobReturn]]) -> None:
        """Complain if nothing came of it, or too much failed."""
        failed = [trial for trial in view.trials if trial.state == TrialStatus.FAILED]
        if not failed:
            return
        rate = len(failed) / len(view.ended)
        if rate > float(self._sweeper.max_failure_rate):
            for _, job in returns:
                _ = job.return_value  # raises the first failure
            raise SweepFailed(f"{view.name}: {len(failed)} of {len(view.ended)} trials failed, which is too many")
        for trial in failed[:10]:
            folder = where(search.folder / str(trial.number))
            self._say(f"{view.name}: trial {trial.number} failed: {trial.reason} ({folder})")
        # Where nothing is searched there is nothing to compare, and a job that went well need not return a number.
        needless = not search.parameters.space.distributions and search.extend is None
        well = bool(returns) and all(job.status == JobStatus.COMPLETED for _, job in returns)
        if len(failed) == len(view.ended) and not (needless and well):
            raise SweepFailed(
                f"{view.name}: all {len(failed)} trials failed; what each of them failed of is in its folder"
            )

    def _confirm(self, search: Search, view: SearchSnapshot) -> None:
        """Run the first trial's configuration and the best one on fresh seeds, as a study of its own."""
        points = baseline_and_best(view)
        confirmation = replace(
            search,
            name=f"{search.name} confirmation",
            folder=search.folder / "confirmation",
            settings=replace(search.settings, n_trials=len(points), max_failure_rate=1.0),
            pruner=None,
            race=None,
            constraints={},
            extend=None,
            further=tuple(str(own) for own in self._sweeper.confirm),
        )
        study = confirmation.study(self._config)
        study.begin(confirmation_definition(confirmation.further), [], bool(self._sweeper.force))
        study.add(points)  # after a larger total another trial may be the best
        if not study.finished:
            self._say(f"{study.name}: the first trial and the best, with {', '.join(confirmation.further)}")
            self._work(confirmation, study)

    def _tracking(self) -> Tracking | None:
        """Who is told of the search, if the application has such a thing."""
        given = plain(self._sweeper.tracking)
        built = instantiate(given, _convert_="all") if isinstance(given, dict) and "_target_" in given else None
        return built if isinstance(built, Tracking) else None

    def _noted(self, number: int, frame: Any) -> None:
        """The first signal is passed on to the workers; the second ends this process at once."""
        if self._signal:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._signal = number

    def _pass_on(self, study: Study) -> None:
        if self._signal and not study.asked_to_stop(self._id):
            study.request_stop(self._id)

    def _say(self, words: str) -> None:
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)


def _front(study: Study) -> list[int]:
    if len(study.settings.directions) == 1:
        return []
    return [trial.number for trial in study.optuna.best_trials if trial.state == TrialState.COMPLETE]


def _remove_if_empty(folder: Path) -> None:
    for path in (*folder.glob("*"), folder):
        with suppress(OSError):
            path.rmdir()


def _conclusion(view: SearchSnapshot, folder: Path) -> str:
    return f"{view.name}: {summary(view)} | {where(folder)}"


def _with_address(override: str, place: StorageAddress) -> str:
    key, equals, _ = override.partition("=")
    return f"{key}={place.address}" if equals and key == "hydra.sweeper.storage" else without_passwords(override)


def _signal_of(leaving: BaseException) -> int:
    code = leaving.code if isinstance(leaving, SystemExit) else None
    return code - 128 if isinstance(code, int) and code > 128 else int(signal.SIGINT)


def _innermost(error: BaseException) -> str:
    """What a database's own client says."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
