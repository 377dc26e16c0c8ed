"""Weights & Biases: one run per seed, all live in one process, grouped by configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import wandb
from pydantic import Field

from badger_sweeps.foundations.errors import UsageError
from badger_sweeps.foundations.names import shortened
from badger_sweeps.foundations.settings import Count, settings
from badger_sweeps.measures.outcome import Outcome
from badger_sweeps.tracking.base import RunDescription, SearchDescription, SearchTracker, Tracker, Tracking
from badger_sweeps.training.loop import Record

LONGEST = 128
"""Characters that W&B takes for a name or a group."""


@settings
class WandB(Tracking):
    """Settings of the W&B tracker.

    Args:
        mode: ``offline`` writes below the run's folder and never connects (``wandb sync`` uploads later); ``online``
            needs a key.
        project: the W&B project.
        entity: the W&B user or team; null for the key's default.
        every: iterations between logged rows, beside those with measures. `history.parquet` has them all.
    """

    mode: Literal["offline", "online"] = "offline"
    project: Annotated[str, Field(pattern=r"^[^/\\#?%:]{1,128}$")] = "badger_sweeps"
    entity: str | None = None
    every: Count = 10

    def start(self, run: RunDescription) -> Tracker:
        return _Runs(self, run)

    def start_search(self, search: SearchDescription) -> SearchTracker:
        return _Search(self, search)


class _Runs(Tracker):
    def __init__(self, tracking: WandB, run: RunDescription) -> None:
        self._every = tracking.every
        self._runs: dict[int, wandb.Run] = {}
        try:
            for seed in run.seeds:
                self._runs[seed] = _start(tracking, run, seed)
        except wandb.Error as error:
            self.close(exit_status=1)
            raise _cannot_start(tracking, error) from error

    def observe(self, record: Record) -> None:
        if record.iteration % self._every and not record.measures:
            return
        for position, seed in enumerate(record.seeds):
            # A vector becomes a list of numbers.
            row = {name: values[position].tolist() for name, values in {**record.metrics, **record.measures}.items()}
            # The step is given, since after a restart offline W&B would count from 0 again.
            self._runs[seed].log({"iteration": record.iteration, **row}, step=record.iteration)

    def conclude(self, outcomes: Sequence[Outcome], objective: str, values: Sequence[float]) -> None:
        for outcome, value in zip(outcomes, values, strict=True):
            self._runs[outcome.seed].summary.update(
                {
                    "escape_iteration": outcome.escape_iteration,
                    "solved_iteration": outcome.solved_iteration,
                    "plateau_iterations": outcome.plateau_iterations,
                    "plateaus": len(outcome.rests),
                    "final_loss": outcome.final_loss,
                    "diverged": outcome.diverged,
                    "objective": value,
                    "objective_name": objective,
                }
            )

    def close(self, exit_status: int) -> None:
        for run in self._runs.values():
            run.finish(exit_code=exit_status)


class _Search(SearchTracker):
    def __init__(self, tracking: WandB, search: SearchDescription) -> None:
        try:
            self._run = wandb.init(
                reinit="create_new",
                mode=tracking.mode,
                project=tracking.project,
                entity=tracking.entity,
                dir=search.folder,
                id=search.search_id,
                resume="allow" if tracking.mode == "online" else None,
                group=shortened(search.name, LONGEST),
                name=shortened(f"search {search.name}", LONGEST),
                job_type="search",
                settings=_settings(),
            )
        except wandb.Error as error:
            raise _cannot_start(tracking, error) from error
        self._run.define_metric("ended", hidden=True)
        self._run.define_metric("search/*", step_metric="ended", summary="none")

    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        self._run.log({"ended": step, **{f"search/{name}": value for name, value in row.items()}}, step=step)

    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=exit_status)


def _cannot_start(tracking: WandB, error: wandb.Error) -> UsageError:
    first_line = str(error).splitlines()[0]
    return UsageError(f"`tracking.mode` must be one W&B can start in; found {tracking.mode}: {first_line}")


def _settings() -> wandb.Settings:
    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,  # provenance.json has the commit
        x_disable_stats=True,
        x_save_requirements=False,
        x_transaction_log_flush_interval=1,  # by default a killed run loses 15 seconds
        init_timeout=30,
        finish_timeout=60,
    )


def _start(tracking: WandB, run: RunDescription, seed: int) -> wandb.Run:
    started = wandb.init(
        reinit="create_new",
        mode=tracking.mode,
        project=tracking.project,
        entity=tracking.entity,
        dir=run.folder,
        id=f"{run.run_id}-{seed}",
        resume="allow" if tracking.mode == "online" else None,
        group=shortened(run.group, LONGEST),
        name=f"{shortened(run.name, LONGEST - 20)} seed {seed}",
        job_type="train",
        tags=run.tags,
        config={**run.config, "seed": seed},
        settings=_settings(),
    )
    started.define_metric("iteration", hidden=True)
    for name in sorted({_pattern(name) for name in run.metrics}):
        started.define_metric(name, step_metric="iteration", summary="none")
    started.summary.update(run.graphs[seed]._asdict())
    return started


def _pattern(name: str) -> str:
    """``mi/*`` for ``mi/mean``: W&B is told of groups rather than of each of thousands of pairs."""
    group, slash, _ = name.partition("/")
    return f"{group}/*" if slash else name
