"""One run from start to end: train, tell everyone, and leave the folder behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from badger_sweeps.core.columns import CHANCE_IS_1, Columns, columns, metric
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.recorder import MeasureRecorder
from badger_sweeps.measures.escape import StaircaseTracker
from badger_sweeps.measures.objectives import ObjectiveName, per_seed
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.runs.checkpoint import Checkpointer, load_checkpoint
from badger_sweeps.runs.graphs import read_connectivity, write_graphs
from badger_sweeps.runs.history import History, check_history, iterations, read_history
from badger_sweeps.runs.interruption import Interruption
from badger_sweeps.runs.lock import exclusive
from badger_sweeps.runs.provenance import Provenance, identity, kept_code
from badger_sweeps.runs.recorded_losses import recorded_loss_history
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.runs.summary import Summary, summarize
from badger_sweeps.tracking.base import RunDescription, Tracker, Tracking
from badger_sweeps.tracking.progress import TerminalProgress
from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.loop import DIVERGED, Record, metric_columns, train
from badger_sweeps.training.population import Population

if TYPE_CHECKING:  # half a second, which a start does without
    import pandas

STAIRCASE_COLUMNS = columns(
    metric(
        "plateau/rung", "Level of the staircase nearest to the loss", CHANCE_IS_1, drawn=False, section="Loss",
        panel="Loss, and the nearest staircase level",
    ),
    metric("plateau/index", "Levels of the staircase left", drawn=False, section="Loss"),
)  # fmt: skip
"""Where a seed stands on the staircase; `rung` is the public name of a level."""


@dataclass(frozen=True)
class Plan:
    """A run that can be started.

    Attributes:
        experiment: what is computed.
        measures: what is measured on it on the way.
        folder: where the files go; a run that stopped there before is continued.
        name: what tables and W&B call it.
        tags: words to find it by.
        config: the resolved configuration, for W&B.
        objective: what the run is judged by.
        tracking: who is told.
        further: what else it is judged by, in searches with several objectives.
        group: what runs that belong together share, where it is not their name.
    """

    experiment: Experiment
    measures: Measures
    folder: Path
    name: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    objective: ObjectiveName
    tracking: Tracking
    further: tuple[ObjectiveName, ...] = ()
    group: str | None = None

    @property
    def staircase(self) -> Staircase:
        """The staircase of the task, with the block that loss and batch size ask for."""
        experiment = self.experiment
        variance = experiment.task.game_variance(experiment.loss.order)
        return Staircase.for_run(experiment.task.parts, experiment.training.batch_size, variance)

    @property
    def metrics(self) -> Columns:
        """The columns of its history with a value in every iteration."""
        return {**metric_columns(self.experiment), **STAIRCASE_COLUMNS}

    @property
    def columns(self) -> Columns:
        """All columns of its history: metrics, then what is measured on the way."""
        return {**self.metrics, **self.measures.columns(self.experiment)}

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The population's state to go on from; see `checkpoint.load_checkpoint`."""
        return load_checkpoint(self.folder, self.experiment.identity, self.experiment.training.iterations)

    def check_folder(self) -> None:
        """Refuse a folder that holds what this run cannot go on from; changes nothing."""
        state = self.load_checkpoint()
        check_history(self.folder, self.columns, keep=state["iteration"] if state else 0)


class Interrupted(Exception):
    """The run was asked to stop, and stopped with everything saved."""

    def __init__(self, exit_status: int, iteration: int) -> None:
        super().__init__(exit_status, iteration)
        self.exit_status = exit_status
        self.iteration = iteration


class Stopped(Exception):
    """Whoever watches the run has stopped it; everything is saved, and there is no summary."""

    def __init__(self, iteration: int, reason: str) -> None:
        super().__init__(iteration, reason)
        self.iteration = iteration
        self.reason = reason


class Watcher(ABC):
    """Watches a run and may stop it."""

    @abstractmethod
    def recall(self, record: Record) -> None:
        """An iteration that was done before the run stopped: its losses, and who diverged in it."""

    @abstractmethod
    def observe(self, record: Record) -> str | None:
        """An iteration; gives the reason why the run is to be stopped after it, or None."""


def run(plan: Plan, console: Console, watcher: Watcher | None = None) -> Summary:
    """Train, from the start or from the folder's checkpoint, to the last iteration; gives the summary it wrote.

    A run that is finished already is summarised again and not trained.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the iteration was finished and everything saved.
        Stopped: `watcher` stopped it; everything is saved.
        UsageError: the folder is in use, its checkpoint or history does not serve, or tracking cannot start.
    """
    with exclusive(plan.folder):
        population = Population(plan.experiment)
        state = plan.load_checkpoint()
        if state is not None:
            population.load_state_dict(state)
        history = History(plan.folder, plan.columns, keep=population.iteration)
        write_graphs(plan.folder, plan.experiment)
        if population.finished:
            return _conclude(plan)
        return _train(plan, population, history, console, watcher)


def _conclude(plan: Plan) -> Summary:
    """Summarise a run whose iterations are all done, and write that down."""
    budget = plan.experiment.training.iterations
    summary = summarize(plan.folder, plan.name, budget, plan.staircase, plan.objective)
    summary.write(plan.folder)
    return summary


def _train(plan: Plan, population: Population, history: History, console: Console, watcher: Watcher | None) -> Summary:
    training, first = plan.experiment.training, population.iteration
    (plan.folder / SUMMARY).unlink(missing_ok=True)  # of a smaller budget, or of what was computed here before
    provenance = Provenance(plan.folder, first, population.engine_description, plan.group or plan.name, plan.config)
    console.print(f"{plan.name}: {population.engine_description}", markup=False, highlight=False, soft_wrap=True)
    checkpointer = Checkpointer(plan.folder, population, before=history.flush)
    past = read_history(plan.folder) if first else None
    course = LossHistory(plan.experiment) if past is None else recorded_loss_history(plan.experiment, past)
    measuring = MeasureRecorder(plan.measures, population, course)
    description = describe(plan, first)
    if watcher is not None and past is not None:
        for iteration, seeds, metrics in iterations(past, ["loss", DIVERGED]):
            watcher.recall(Record(iteration, tuple(seeds), metrics))
    with Interruption() as interruption:
        stop = None
        with (
            _closing(plan.tracking.start(description)) as tracker,
            _closing(TerminalProgress(description, training.iterations, console)) as progress,
        ):
            try:
                for record in _with_staircase(measuring.added_to(train(population)), plan, past):
                    history.observe(record)
                    tracker.observe(record)
                    progress.observe(record)
                    checkpointer.observe(record)
                    stop = watcher.observe(record) if watcher is not None else None
                    if stop is not None or interruption.signal is not None:
                        break
            finally:
                history.flush()
            checkpointer.save()
            ended = population.finished or stop is not None
            provenance.close(population.iteration, measuring.seconds, 0 if ended else interruption.exit_status)
            if stop is not None and not population.finished:
                raise Stopped(population.iteration, stop)
            if not population.finished:
                raise Interrupted(interruption.exit_status, population.iteration)
            summary = _conclude(plan)
            values = per_seed(plan.objective, summary.outcomes, summary.budget)
            tracker.conclude(summary.outcomes, plan.objective, values.tolist())
        if interruption.signal is not None:  # too late for this run, but not for the next of a multirun
            raise Interrupted(interruption.exit_status, population.iteration)
    return summary


def describe(plan: Plan, first_iteration: int) -> RunDescription:
    """What trackers are told of a run that has its provenance and its graphs."""
    run_id, group = identity(plan.folder)
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
    """Close the tracker however the body ends, and tell it how."""
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


def _with_staircase(records: Iterator[Record], plan: Plan, past: pandas.DataFrame | None) -> Iterator[Record]:
    """Add to each record where its members stand on the staircase."""
    staircase = StaircaseTracker(plan.experiment.seeds, plan.staircase)
    if past is not None:  # what it knew when the run stopped follows from what was recorded
        for _, seeds, metrics in iterations(past, ["loss"]):
            staircase.observe(seeds, metrics["loss"])
    for record in records:
        standing = staircase.observe(record.seeds, record.metrics["loss"])
        yield replace(record, metrics=record.metrics | dict(zip(STAIRCASE_COLUMNS, standing, strict=True)))
