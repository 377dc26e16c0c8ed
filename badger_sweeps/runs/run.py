"""One run from start to end: training, recording, logging, and the files in the run's folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from badger_sweeps.core.columns import NORMALISED_ERROR, Columns, columns, metric
from badger_sweeps.core.optional_libraries import require
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.recorder import MeasureRecorder
from badger_sweeps.measures.escape import StaircaseTracker
from badger_sweeps.measures.objectives import ObjectiveName, per_seed
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.runs.checkpoint import Checkpointer, load_checkpoint
from badger_sweeps.runs.graphs import read_connectivity, write_graphs
from badger_sweeps.runs.history import History, check_history, iterations
from badger_sweeps.runs.interruption import Interruption
from badger_sweeps.runs.lock import exclusive
from badger_sweeps.runs.provenance import Provenance, kept_code, run_id_and_group
from badger_sweeps.runs.recorded_losses import read_losses, recorded_loss_history
from badger_sweeps.runs.summary import SUMMARY_FILE, Summary, summarize
from badger_sweeps.tracking.base import RunDescription, Tracker, Tracking
from badger_sweeps.tracking.progress import TerminalProgress
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import DIVERGED, Record, Records, metric_columns, train_in_chunks
from badger_sweeps.training.population import Population

if TYPE_CHECKING:  # importing it takes half a second at each start
    import pandas

STAIRCASE_COLUMNS = columns(
    metric(
        "plateau/rung", "Level of the staircase nearest to the loss", NORMALISED_ERROR, drawn=False, section="Loss",
        panel="Loss, and the nearest staircase level",
    ),
    metric("plateau/index", "Levels of the staircase left", drawn=False, section="Loss"),
)  # fmt: skip
"""The columns of a seed's position on the staircase; `rung` is the public name of a level."""


@dataclass(frozen=True)
class Plan:
    """A run that can be started or continued.

    Attributes:
        experiment: the training to compute.
        measures: the measures to take during training.
        folder: the run's folder; a run that was stopped there is continued.
        name: the run's name in tables and in W&B.
        tags: keywords to filter runs by.
        config: the resolved configuration, for W&B.
        objective: the objective that the summary reports.
        tracking: settings of the tracker that logs the run.
        further_objectives: in searches with several objectives, those after the first.
        group: the run's group in W&B; None: its name.
    """

    experiment: Experiment
    measures: Measures
    folder: Path
    name: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    objective: ObjectiveName
    tracking: Tracking
    further_objectives: tuple[ObjectiveName, ...] = ()
    group: str | None = None

    @property
    def staircase(self) -> Staircase:
        """The staircase of the task, with the block length that loss and batch size require."""
        experiment = self.experiment
        variance = experiment.task.game_variance(experiment.loss.order)
        return Staircase.for_run(experiment.task.parts, experiment.training.batch_size, variance)

    @property
    def metrics(self) -> Columns:
        """The columns of the run's history that have a value in every iteration."""
        return {**metric_columns(self.experiment), **STAIRCASE_COLUMNS}

    @property
    def columns(self) -> Columns:
        """All columns of the run's history: first the metrics, then the measures."""
        return {**self.metrics, **self.measures.columns(self.experiment)}

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The population's state to continue from; see `checkpoint.load_checkpoint`."""
        return load_checkpoint(self.folder, self.experiment.identity, self.experiment.training.iterations)

    def check_libraries(self) -> None:
        """Refuse a run that needs an optional library that is not installed; recorded runs are read without it.

        Raises:
            MissingLibraryError: with the choice that needs it.
        """
        aggregator = self.experiment.aggregator
        if aggregator.library is not None:
            require(aggregator.library, f"`aggregator` cannot be built: {type(aggregator).__name__}")
        for measure in self.measures.of(self.experiment):
            if measure.library is not None:
                require(measure.library, f"`measures` cannot be built: The measure {type(measure).__name__}")

    def check_folder(self) -> None:
        """Raise a `UsageError` if this run cannot continue from the files in its folder; changes no file."""
        state = self.load_checkpoint()
        check_history(self.folder, self.columns, keep=state["iteration"] if state else 0)


class Interrupted(Exception):
    """A signal stopped the run after the iterations that were being computed, with everything saved.

    Attributes:
        exit_status: the exit status that shells expect after the signal.
        iteration: iterations completed.
    """

    def __init__(self, exit_status: int, iteration: int) -> None:
        super().__init__(exit_status, iteration)
        self.exit_status = exit_status
        self.iteration = iteration


class Stopped(Exception):
    """The run monitor stopped the run; everything is saved, and there is no summary.

    Attributes:
        iteration: iterations completed.
        reason: the monitor's reason.
    """

    def __init__(self, iteration: int, reason: str) -> None:
        super().__init__(iteration, reason)
        self.iteration = iteration
        self.reason = reason


class RunMonitor(ABC):
    """Follows the records of a run and may stop it."""

    @abstractmethod
    def observe(self, records: Records) -> None:
        """Receive iterations up to the next stop; those of an earlier session have ``loss`` and ``diverged`` alone."""

    @abstractmethod
    def next_stop(self, iteration: int) -> int:
        """The next iteration, after `iteration`, at which the monitor may stop the run."""

    @abstractmethod
    def reason_to_stop(self) -> str | None:
        """Why the run is to stop after the iterations received so far; None if it is to go on."""


def run(plan: Plan, console: Console, monitor: RunMonitor | None = None) -> Summary:
    """Train, from the start or from the folder's checkpoint, to the last iteration; return the summary it wrote.

    A finished run is summarised again but not trained.

    Raises:
        Interrupted: the process received SIGINT or SIGTERM; iterations begun were finished and everything saved.
        Stopped: `monitor` stopped the run; everything is saved.
        MissingLibraryError: the plan needs an optional library that is not installed.
        UsageError: the folder is in use, its checkpoint or history cannot be continued, or tracking cannot start.
    """
    plan.check_libraries()
    with exclusive(plan.folder):
        population = Population(plan.experiment)
        state = plan.load_checkpoint()
        if state is not None:
            population.load_state_dict(state)
        history = History(plan.folder, plan.columns, keep=population.iteration)
        write_graphs(plan.folder, plan.experiment)
        if population.finished:
            return _conclude(plan)
        return _train(plan, population, history, console, monitor)


def _conclude(plan: Plan) -> Summary:
    """Write and return the summary of a run whose iterations are all done."""
    budget = plan.experiment.training.iterations
    summary = summarize(plan.folder, plan.name, budget, plan.staircase, plan.objective)
    summary.write(plan.folder)
    return summary


def _train(
    plan: Plan, population: Population, history: History, console: Console, monitor: RunMonitor | None
) -> Summary:
    training, first = plan.experiment.training, population.iteration
    (plan.folder / SUMMARY_FILE).unlink(missing_ok=True)  # of a smaller budget, or of an earlier run in this folder
    provenance = Provenance(plan.folder, first, population.engine_description, plan.group or plan.name, plan.config)
    console.print(f"{plan.name}: {population.engine_description}", markup=False, highlight=False, soft_wrap=True)

    def flush() -> None:
        """Iterations before a checkpoint are neither trained nor logged again: first they must be recorded."""
        history.flush()
        tracker.flush()

    checkpointer = Checkpointer(plan.folder, population, before=flush)
    past = read_losses(plan.folder, plan.experiment) if first else None
    losses = LossHistory(plan.experiment) if past is None else recorded_loss_history(plan.experiment, past)
    recorder = MeasureRecorder(plan.measures, population, losses)
    description = describe(plan, first)
    stop: str | None = None
    if monitor is not None and past is not None:
        for iteration, seeds, metrics in iterations(past, ["loss", DIVERGED]):
            monitor.observe(Records.of(Record(iteration, tuple(seeds), metrics)))
        # The earlier session may have been stopped by this monitor, and by a signal before it could tell.
        stop = monitor.reason_to_stop()
    stops = [recorder.next_stop, checkpointer.next_stop, *([] if monitor is None else [monitor.next_stop])]
    with Interruption() as interruption:
        with (
            _closing(plan.tracking.start(description)) as tracker,
            _closing(TerminalProgress(description, training.iterations, console)) as progress,
        ):
            try:
                chunks = train_in_chunks(population, lambda iteration: min(each(iteration) for each in stops))
                for records in () if stop else _with_staircase(recorder.added_to(chunks), plan, past):
                    history.observe(records)
                    tracker.observe(records)
                    progress.observe(records)
                    checkpointer.observe(records)
                    if monitor is not None:
                        monitor.observe(records)
                        stop = stop or monitor.reason_to_stop()
                    is_last = records.iterations.stop == population.iteration  # of those computed together
                    if is_last and (stop is not None or interruption.signal is not None):
                        break
            finally:
                history.flush()
            checkpointer.save()
            ended = population.finished or stop is not None
            provenance.close(population.iteration, recorder.seconds, 0 if ended else interruption.exit_status)
            if stop is not None and not population.finished:
                raise Stopped(population.iteration, stop)
            if not population.finished:
                raise Interrupted(interruption.exit_status, population.iteration)
            summary = _conclude(plan)
            values = per_seed(plan.objective, summary.outcomes, summary.budget)
            tracker.conclude(summary.outcomes, plan.objective, values.tolist())
        if interruption.signal is not None:  # this run is finished, but the next run of a multirun must not start
            raise Interrupted(interruption.exit_status, population.iteration)
    return summary


def describe(plan: Plan, first_iteration: int) -> RunDescription:
    """The description for trackers of a run whose folder has its provenance and its graphs."""
    run_id, group = run_id_and_group(plan.folder)
    return RunDescription(
        folder=plan.folder,
        run_id=run_id,
        name=plan.name,
        group=group or plan.name,
        tags=plan.tags,
        config=plan.config,
        seeds=plan.experiment.seeds,
        first_iteration=first_iteration,
        graphs=read_connectivity(plan.folder),
        columns=plan.columns,
        code=kept_code(plan.folder),
        inner_steps=plan.experiment.training.inner_steps,
    )


@contextmanager
def _closing(tracker: Tracker) -> Iterator[Tracker]:
    """Close the tracker at the end of this context, with the exit status of the run."""
    status = 1
    try:
        yield tracker
        status = 0
    except Interrupted as interrupted:
        status = interrupted.exit_status
        raise
    except Stopped:
        status = 0
        raise
    finally:
        tracker.close(status)


def _with_staircase(chunks: Iterator[Records], plan: Plan, past: pandas.DataFrame | None) -> Iterator[Records]:
    """Add `STAIRCASE_COLUMNS` to the records."""
    staircase = StaircaseTracker(plan.experiment.seeds, plan.staircase)
    if past is not None:  # the tracker's state follows from the recorded losses
        for _, seeds, metrics in iterations(past, ["loss"]):
            staircase.observe(seeds, metrics["loss"][None])
    for records in chunks:
        positions = staircase.observe(records.seeds, records.metrics["loss"])
        yield replace(records, metrics=records.metrics | dict(zip(STAIRCASE_COLUMNS, positions, strict=True)))
