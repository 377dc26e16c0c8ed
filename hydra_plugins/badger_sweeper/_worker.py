"""A worker claims trials of a search and runs each as a Hydra job, until no trial is left.

Hydra's launchers start workers as they start any job, so a search runs wherever a launcher can start jobs.
"""

from __future__ import annotations

import math
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict, read_write

from badger_sweeps.runs.interruption import Interruption
from badger_sweeps.runs.lock import InUse
from badger_sweeps.runs.run import Interrupted
from badger_sweeps.search.leases import Claim, LeaseLost
from badger_sweeps.search.pruning import Pruning, build_pruning
from badger_sweeps.search.racing import Race
from badger_sweeps.search.search import Search
from badger_sweeps.search.storage import StorageLost
from badger_sweeps.search.trial import Trial, sending_heartbeats
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus
from hydra_plugins.badger_sweeper._specification import SearchSpecification

ERROR = "error.txt"
"""The traceback of a failed trial, in its folder."""
WORKERS = ".workers"
"""The folder of the workers' own jobs in the search's folder; empty unless the application logs to files."""


@dataclass(frozen=True)
class WorkerResult:
    """The result of a worker's job.

    A worker that a signal stops returns its result, too. If it raised an exception instead, launchers would end the
    other workers at once, before these have saved their trials.

    Attributes:
        returns: number and job of each trial that the worker ended.
        signal: the signal that stopped the worker; 0 if no trial was left.
    """

    returns: Sequence[tuple[int, JobReturn]]
    signal: int


@dataclass
class Worker:
    """The task function that launchers are given.

    Args:
        specification: of the search.
        task: the application's own task function.
        hydra_context: Hydra's.
        config: of the multirun.
    """

    specification: SearchSpecification
    task: TaskFunction
    hydra_context: HydraContext
    config: DictConfig
    returns: list[tuple[int, JobReturn]] = field(default_factory=list)

    def __call__(self, _: Any) -> WorkerResult:
        """Work until no trial is left or a signal comes; after a signal the current trial is saved and re-queued."""
        search = self.specification.open(self.config)
        self.returns = []
        with Signals() as signals:
            while not signals.received and not search.stop_requested(self.specification.controller):
                claim = search.claim()
                if claim is None:
                    break
                try:
                    self._work(search, claim, signals)
                except LeaseLost:
                    continue
                except (KeyboardInterrupt, _Signalled):
                    search.requeue(claim)
                    break
                except InUse:  # another process still has the trial's folder, although it seemed dead
                    search.requeue(claim)
                    break
                except BaseException:
                    search.requeue(claim, died=True)
                    raise
        return WorkerResult(self.returns, signals.received)

    def _work(self, search: Search, claim: Claim, signals: Signals) -> None:
        """Run a claimed trial and tell its outcome.

        Raises:
            KeyboardInterrupt, _Signalled: a signal came; the trial is to be re-queued.
            LeaseLost, InUse, StorageLost: the task raised it.
        """
        race = Race(**self.specification.race) if self.specification.race else None
        trial = Trial(search, claim, self._pruning(), race)
        # Hydra gives the task a configuration and nothing else: the trial reaches `commands.app` as `current_trial()`.
        with sending_heartbeats(trial, lambda: search.stop_requested(self.specification.controller), signals.stop):
            try:
                with signals.during_task():
                    job = self._run(claim)
            except SystemExit as leaving:
                job = _failed(RuntimeError(f"the task left with exit status {leaving.code}"))
        # `run_job` catches what the task raises and keeps it as the job's return value. The property `return_value`
        # would raise it again; the attribute behind it shows which errors say that the trial has not ended.
        answer = job._return_value
        if isinstance(answer, Interrupted):
            raise _Signalled
        if isinstance(answer, LeaseLost | InUse | StorageLost):
            raise answer
        search.tell(claim, self._outcome(trial, job))
        self.returns.append((claim.number, job))

    def _pruning(self) -> Pruning | None:
        configured = self.specification.pruner
        return build_pruning(instantiate(dict(configured), _convert_="all") if configured else None)

    def _run(self, claim: Claim) -> JobReturn:
        """Run a trial as a Hydra job, in the folder of its number."""
        overrides = [*self.specification.parameters.overrides(claim.params), *self.specification.overrides]
        try:
            config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        except Exception as error:  # a trial whose configuration cannot be composed has failed
            return _failed(error)
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.job.id = config.hydra.job.num = claim.number
            config.hydra.sweep.dir = str(self.specification.folder)
            config.hydra.sweep.subdir = str(claim.number)
            if "storage" in config.hydra.sweeper:  # the address as it was typed may contain a password
                config.hydra.sweeper.storage = self.specification.address.text
        return run_job(
            hydra_context=self.hydra_context,
            task_function=self.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )

    def _outcome(self, trial: Trial, job: JobReturn) -> TrialOutcome:
        answer = job._return_value
        if job.status != JobStatus.COMPLETED:
            trial.claim.folder.mkdir(parents=True, exist_ok=True)
            (trial.claim.folder / ERROR).write_text("".join(traceback.format_exception(answer)))
            return TrialOutcome(TrialStatus.FAILED, reason=_one_line(answer))
        (trial.claim.folder / ERROR).unlink(missing_ok=True)  # of an earlier start
        values, error = _values(answer, len(self.specification.settings.directions))
        if error:
            return TrialOutcome(TrialStatus.FAILED, reason=error, details=trial.details)
        if any(math.isnan(value) for value in values):
            return TrialOutcome(TrialStatus.DIVERGED, None, "its value is NaN", trial.details)
        missing = sorted(self.specification.constraints.keys() - trial.quantities.keys())
        if missing and trial.status != TrialStatus.PRUNED:
            known = ", ".join(trial.quantities) or "none"
            reason = f"`hydra.sweeper.constraints` must name quantities of the task ({known}); found {missing[0]!r}"
            return TrialOutcome(TrialStatus.FAILED, reason=reason, details=trial.details)
        violated = {
            name: trial.quantities[name] - maximum
            for name, maximum in self.specification.constraints.items()
            if name in trial.quantities
        }
        return TrialOutcome(trial.status, values, trial.reason, trial.details, violated)


class _Signalled(Exception):
    """A signal stopped the task, which has saved its trial."""


class Signals:
    """Handles SIGINT and SIGTERM while a worker works.

    The first signal stops the current task: with `KeyboardInterrupt`, unless the task handles signals itself. Between
    two tasks it is recorded. The second signal ends the process at once: the next start re-queues the trial that it had
    claimed.

    Attributes:
        received: the number of the first signal; 0 before one came.
    """

    def __init__(self) -> None:
        self._tasks_before = 0
        self._handled = 0
        self._in_task = False
        self._previous: dict[int, Any] = {}
        self.received = 0

    def __enter__(self) -> Signals:
        self._tasks_before = Interruption.noted
        for number in Interruption.SIGNALS:
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:  # launchers may run jobs outside the main thread, where no handler can be set
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextmanager
    def during_task(self) -> Iterator[None]:
        """Within this context a task runs, which a signal interrupts."""
        if self.received:
            raise KeyboardInterrupt
        self._in_task = True
        try:
            yield
        finally:
            self._in_task = False
            if not self.received and self._task_handled_one():
                self.received = Interruption.latest

    def stop(self) -> None:
        """Send SIGTERM to this process, unless a signal came: Ctrl-C in a terminal reaches workers and controller."""
        if not self._one_came():
            os.kill(os.getpid(), signal.SIGTERM)

    def _one_came(self) -> bool:
        return self._handled > 0 or self._task_handled_one()

    def _task_handled_one(self) -> bool:
        return Interruption.noted > self._tasks_before

    def _handle(self, number: int, frame: Any) -> None:
        if self._one_came():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._handled += 1
        self.received = number
        if self._in_task:
            raise KeyboardInterrupt


def _failed(error: BaseException) -> JobReturn:
    job = JobReturn()
    job.return_value, job.status = error, JobStatus.FAILED
    return job


def _values(answer: Any, count: int) -> tuple[tuple[float, ...], str]:
    """A task's return value as numbers, one for each objective; and an error, empty if the value is valid."""
    try:
        values = (float(answer),) if count == 1 and not isinstance(answer, list | tuple) else tuple(map(float, answer))
    except (TypeError, ValueError):
        rule = "a number" if count == 1 else f"a list of {count} numbers"
        return (), f"the task must return {rule}; found {answer!r}"
    if len(values) != count:
        return (), f"the task must return {count} numbers, one for each direction; found {len(values)}"
    return values, ""


def _one_line(error: BaseException) -> str:
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def worker_overrides(number: int) -> list[str]:
    """Overrides of a worker's own job, which writes no configuration and keeps its working directory."""
    return ["hydra.output_subdir=null", "hydra.job.chdir=false", f"hydra.sweep.subdir={WORKERS}/{number}"]
