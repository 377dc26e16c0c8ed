"""A worker: it claims trials of a study and runs each as a Hydra job, until there is nothing left to do.

Hydra's launchers start workers as they start any job, so that a sweep goes wherever a launcher goes.
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
from badger_sweeps.search.pruning import pruning
from badger_sweeps.search.racing import Race
from badger_sweeps.search.storage import StorageLost
from badger_sweeps.search.study import Claim, LeaseLost, Study
from badger_sweeps.search.trial import Trial, at_work
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus
from hydra_plugins.badger_sweeper._search import Search

ERROR = "error.txt"
"""The traceback of a failed trial, in its folder."""
WORKERS = ".workers"
"""Where the workers' own jobs live, below the study's folder; empty unless the application logs to files."""


@dataclass(frozen=True)
class WorkerResult:
    """What a worker has done. It comes back with this also when a signal ends its work: a worker that left with an
    exception would have launchers end the others at once, before they have saved theirs.

    Attributes:
        returns: the finished trials' numbers and what their jobs returned.
        signal: what ended it; 0 if nothing was left to do.
    """

    returns: Sequence[tuple[int, JobReturn]]
    signal: int


@dataclass
class Worker:
    """The task function that launchers are given.

    Args:
        search: what it works on.
        task: the application's own task function.
        hydra_context: Hydra's.
        config: of the multirun.
    """

    search: Search
    task: TaskFunction
    hydra_context: HydraContext
    config: DictConfig
    returns: list[tuple[int, JobReturn]] = field(default_factory=list)

    def __call__(self, _: Any) -> WorkerResult:
        """Work until nothing is left, or a signal comes: then the trial at hand is saved and put back."""
        study = self.search.study(self.config)
        self.returns = []
        with Signals() as signals:
            while not signals.came and not study.asked_to_stop(self.search.controller):
                claim = study.claim()
                if claim is None:
                    break
                try:
                    self._work(study, claim, signals)
                except LeaseLost:
                    continue
                except (KeyboardInterrupt, _Signalled):
                    study.put_back(claim)
                    break
                except InUse:  # its process was thought dead and is not quite
                    study.put_back(claim)
                    break
                except BaseException:
                    study.put_back(claim, died=True)
                    raise
        return WorkerResult(self.returns, signals.came)

    def _work(self, study: Study, claim: Claim, signals: Signals) -> None:
        trial = Trial(study, claim, self._pruning(), Race(**self.search.race) if self.search.race else None)
        with at_work(trial, lambda: study.asked_to_stop(self.search.controller), signals.stop):
            try:
                with signals.during_task():
                    job = self._run(claim)
            except SystemExit as leaving:
                job = _failed(RuntimeError(f"the task left with exit status {leaving.code}"))
        answer = job._return_value
        if isinstance(answer, Interrupted):
            raise _Signalled
        if isinstance(answer, LeaseLost | InUse | StorageLost):
            raise answer
        study.tell(claim, self._outcome(trial, job))
        self.returns.append((claim.number, job))

    def _pruning(self) -> Any:
        return pruning(instantiate(dict(self.search.pruner), _convert_="all") if self.search.pruner else None)

    def _run(self, claim: Claim) -> JobReturn:
        """One trial as a Hydra job, in the folder of its number."""
        overrides = [*self.search.parameters.overrides(claim.params), *self.search.further]
        try:
            config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        except Exception as error:  # a combination that cannot be composed is this trial's failure
            return _failed(error)
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.job.id = config.hydra.job.num = claim.number
            config.hydra.sweep.dir = str(self.search.folder)
            config.hydra.sweep.subdir = str(claim.number)
            if "storage" in config.hydra.sweeper:  # an address as it was typed may hold a password
                config.hydra.sweeper.storage = self.search.place.address
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
            words = "".join(traceback.format_exception(answer))
            trial.claim.folder.mkdir(parents=True, exist_ok=True)
            (trial.claim.folder / ERROR).write_text(words)
            return TrialOutcome(TrialStatus.FAILED, reason=_one_line(answer))
        (trial.claim.folder / ERROR).unlink(missing_ok=True)  # of an earlier try
        values, complaint = _values(answer, len(self.search.settings.directions))
        if complaint:
            return TrialOutcome(TrialStatus.FAILED, reason=complaint, details=trial.details)
        if any(math.isnan(value) for value in values):
            return TrialOutcome(TrialStatus.DIVERGED, None, "its value is NaN", trial.details)
        missing = sorted(self.search.constraints.keys() - trial.quantities.keys())
        if missing and trial.state != TrialStatus.PRUNED:
            known = ", ".join(trial.quantities) or "none"
            reason = f"`hydra.sweeper.constraints` must name quantities of the task ({known}); found {missing[0]!r}"
            return TrialOutcome(TrialStatus.FAILED, reason=reason, details=trial.details)
        violated = {
            name: trial.quantities[name] - most
            for name, most in self.search.constraints.items()
            if name in trial.quantities
        }
        return TrialOutcome(trial.state, values, trial.reason, trial.details, violated)


class _Signalled(Exception):
    """A signal stopped the task in good order."""


class Signals:
    """SIGINT and SIGTERM while a worker works.

    The first one stops the task at hand: with `KeyboardInterrupt`, unless the task handles signals itself. Between
    tasks it is noted. The second one ends the process at once, whatever it does: the next start recovers what it had
    claimed.

    Attributes:
        came: the number of the first signal; 0 before one came.
    """

    def __init__(self) -> None:
        self._noted = 0
        self._here = 0
        self._in_task = False
        self._previous: dict[int, Any] = {}
        self.came = 0

    def __enter__(self) -> Signals:
        self._noted = Interruption.noted
        for number in Interruption.SIGNALS:
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:  # not in the main thread, where launchers may put jobs
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextmanager
    def during_task(self) -> Iterator[None]:
        """Within this context a task runs that may be interrupted."""
        if self.came:
            raise KeyboardInterrupt
        self._in_task = True
        try:
            yield
        finally:
            self._in_task = False
            if not self.came and Interruption.noted > self._noted:
                self.came = Interruption.latest

    def stop(self) -> None:
        """Do as if SIGTERM had come, unless a signal has: Ctrl-C in a terminal reaches workers and controller alike."""
        if not self._came_before():
            os.kill(os.getpid(), signal.SIGTERM)

    def _came_before(self) -> bool:
        return self._here > 0 or Interruption.noted > self._noted

    def _handle(self, number: int, frame: Any) -> None:
        if self._came_before():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._here += 1
        self.came = number
        if self._in_task:
            raise KeyboardInterrupt


def _failed(error: BaseException) -> JobReturn:
    job = JobReturn()
    job.return_value, job.status = error, JobStatus.FAILED
    return job


def _values(answer: Any, count: int) -> tuple[tuple[float, ...], str]:
    """A task's return value as numbers, one for each objective; or what is wrong with it."""
    try:
        values = (float(answer),) if count == 1 and not isinstance(answer, list | tuple) else tuple(map(float, answer))
    except (TypeError, ValueError):
        rule = "a number" if count == 1 else f"a list of {count} numbers"
        return (), f"the task must return {rule}; found {answer!r}"
    if len(values) != count:
        return (), f"the task must return {count} numbers, one for each direction; found {len(values)}"
    return values, ""


def _one_line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def worker_overrides(number: int) -> list[str]:
    """Overrides of a worker's own job, which leaves no configuration behind and stays where it is."""
    return ["hydra.output_subdir=null", "hydra.job.chdir=false", f"hydra.sweep.subdir={WORKERS}/{number}"]
