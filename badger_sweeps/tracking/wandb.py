"""Weights & Biases (W&B): one W&B run per seed, all logged by one process, grouped by configuration."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Annotated, Any, Literal

import numpy as np
import wandb
from PIL import Image, ImageOps
from pydantic import Field
from wandb.errors import CommError
from wandb.errors import UsageError as RefusedByWandB
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from badger_sweeps.core.columns import INNER_STEP
from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.names import shortened
from badger_sweeps.core.settings import Count, settings
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.tracking.base import (
    RunDescription,
    SearchDescription,
    SearchTracker,
    Tracker,
    Tracking,
)
from badger_sweeps.training.loop import Record

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # by default W&B reports usage errors even of offline runs

LONGEST = 128
"""Maximum length of a name or a group in W&B, in characters."""
PATIENCE = 10
"""Seconds that a start waits for the server's answer."""
SETTLING = 1.0
"""Seconds that W&B's service needs to finish a request that has timed out."""
LAST_PATIENCE = 30
"""Seconds that the end of a run waits for the server to receive the remaining data."""
INNER = "inner/"
"""Prefix of the names in rows of the inner loop, whose axis is the inner step."""
STRIDE = 100
"""W&B steps per iteration. The steps between two iterations are for rows of the inner loop, since W&B accepts rows in
increasing order of steps only. Runs with at least as many inner steps use a multiple of it (`stride_of`)."""
RECORDED_STRIDE = "steps_per_iteration"
"""The key of a run's configuration in W&B that records a stride other than `STRIDE`."""
CELL = 16
"""Width of one pair of experts in the picture of all pairs, in pixels."""

CODE = "badger_sweeps"
"""Name of the artifact that holds the package's code."""

Mode = Literal["offline", "online"]


class Undelivered(RuntimeWarning):
    """W&B's server does not answer; the data that was not delivered stays on disk."""


@settings
class WandB(Tracking):
    """Settings of the W&B tracker.

    Args:
        mode: ``offline`` writes below the run's folder and never connects (``badger-sweeps sync`` delivers later);
            ``online`` needs a key.
        project: the W&B project.
        entity: the W&B user or team; null for the key's default.
        every: iterations between logged rows; rows with measures are always logged. `history.parquet` has every row.
        pairs_every: iterations between rows with a column for each pair of experts and a picture of all pairs.
    """

    mode: Mode = "offline"
    project: Annotated[str, Field(pattern=r"^[^/\\#?%:]{1,128}$")] = "badger_sweeps"
    entity: str | None = None
    every: Count = 10
    pairs_every: Count = 500

    def start(self, run: RunDescription) -> Tracker:
        return _Runs(self, run)

    def start_search(self, search: SearchDescription) -> SearchTracker:
        return _Search(self, search)


class _Runs(Tracker):
    def __init__(self, tracking: WandB, run: RunDescription) -> None:
        self._every, self._pairs_every = tracking.every, tracking.pairs_every
        self._pairs = [name for name, column in run.columns.items() if column.per == "pair"]
        self._along = sorted(name for name, column in run.columns.items() if column.axis == INNER_STEP)
        self._pictured = (run.first_iteration - 1) // self._pairs_every
        self._inner: dict[int, dict[str, list[float]]] = {}
        self._last = run.first_iteration
        self._stride = stride_of(run.inner_steps)
        self._logged_with_stride: dict[int, int] = {}  # by seed, of the rows that the server has
        self._stride_to_record: set[int] = set()
        self._runs: dict[int, wandb.Run] = {}
        self._code: _Code | None = None
        mode = _mode(tracking)
        try:
            for seed in run.seeds:
                self._runs[seed] = _start(tracking, mode, run, seed)
                self._logged_with_stride[seed] = int(dict(self._runs[seed].config).get(RECORDED_STRIDE, STRIDE))
                if self._logged_with_stride[seed] != self._stride:
                    self._stride_to_record.add(seed)
        except wandb.Error as error:
            self.close(exit_status=1)
            raise _cannot_start(tracking, error) from error
        self._code = _Code(run.code, list(self._runs.values()), mode)
        self._code.start()

    def observe(self, record: Record) -> None:
        self._last = record.iteration
        if record.iteration % self._every and not record.measures:
            return
        values = {**record.metrics, **record.measures}
        inner = [name for name in self._along if name in values]
        pictured = self._pairs and self._pairs[0] in values and self._is_due(record.iteration)
        kept = values.keys() if pictured else values.keys() - set(self._pairs)
        for position, seed in enumerate(record.seeds):
            # A vector becomes a list of numbers.
            row = {name: values[name][position].tolist() for name in values if name in kept}
            for name in inner:
                vector = row.pop(name) if name.startswith(INNER) else row[name]
                self._inner.setdefault(seed, {})[_inner_name(name)] = vector
            if self._is_logged(seed, record.iteration):  # by a session that was killed
                continue
            if pictured:
                row["mi_pairs"] = _picture({name: float(values[name][position]) for name in self._pairs})
            self._log(seed, {"iteration": record.iteration, **row}, record.iteration)

    def _is_logged(self, seed: int, iteration: int, inner_step: int = 0) -> bool:
        """Whether the server has the row already, by the stride that the row was logged with."""
        return self._logged_with_stride[seed] * iteration + inner_step < self._runs[seed].starting_step

    def _log(self, seed: int, row: dict[str, Any], iteration: int, inner_step: int = 0) -> None:
        """Log a row. A longer stride gives larger steps than those logged before; its first row records the stride."""
        if seed in self._stride_to_record:
            recorded = {RECORDED_STRIDE: self._stride}
            self._runs[seed].config.update(recorded, allow_val_change=True)  # type: ignore[no-untyped-call]
            self._stride_to_record.remove(seed)
        # The step is explicit, since after an offline restart W&B would count from 0 again.
        self._runs[seed].log(row, step=self._stride * iteration + inner_step)

    def _is_due(self, iteration: int) -> bool:
        """Whether this is the first measurement in a block of `pairs_every` iterations."""
        before, self._pictured = self._pictured, iteration // self._pairs_every
        return self._pictured > before

    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        self._log_inner_loop([outcome.seed for outcome in outcomes])
        for outcome, value in zip(outcomes, values, strict=True):
            self._runs[outcome.seed].summary.update(
                {
                    **outcome.as_row(),
                    "plateaus": len(outcome.plateaus),
                    "objective": value,
                    "objective_name": objective,
                }
            )

    def _log_inner_loop(self, seeds: Sequence[int]) -> None:
        """Log the last vectors along the inner loop: a row for each inner step, with the inner step as its axis.

        The rows follow the run's last iteration. If a run was continued without measuring the vectors again, and is
        then delivered again, the rows are logged after the new last iteration too: the client cannot see whether the
        server has them already.
        """
        for seed in seeds:
            columns = self._inner.get(seed, {})
            for inner_step, row in enumerate(zip(*columns.values(), strict=True), start=1):
                if not self._is_logged(seed, self._last, inner_step):
                    named = dict(zip(columns, row, strict=True))
                    self._log(seed, {"inner_step": inner_step, **named}, self._last, inner_step)

    def close(self, exit_status: int) -> None:
        if self._code is not None:
            self._code.join(LAST_PATIENCE)
        with ThreadPoolExecutor(max(1, len(self._runs))) as pool:  # each waits if the server does not answer
            list(pool.map(lambda run: _finish(run, exit_status), self._runs.values()))
        if self._code is not None and not self._code.delivered:
            _warn("W&B: the server has not received the code.")


class _Code(Thread):
    """Logs the package's code to all runs, in a thread of its own, since this waits for the server.

    W&B stores equal content once, as an artifact of the project.
    """

    def __init__(self, files: Sequence[Path], runs: Sequence[wandb.Run], mode: Mode) -> None:
        super().__init__(daemon=True)
        self._files, self._runs, self._mode = files, runs, mode
        self.delivered = False

    def run(self) -> None:
        for path in self._files:
            for position, run in enumerate(self._runs):
                artifact = wandb.Artifact(CODE, type="code")
                try:
                    artifact.add_file(str(path), policy="immutable", skip_cache=True)  # without a copy in W&B's cache
                    logged = run.log_artifact(artifact)
                    if self._mode == "online" and position == 0:
                        logged.wait(LAST_PATIENCE)  # then the other runs find the artifact and do not send it again
                except (wandb.Error, ValueError, OSError, WandbApiFailedError):
                    return
        self.delivered = True


class _Search(SearchTracker):
    def __init__(self, tracking: WandB, search: SearchDescription) -> None:
        mode = _mode(tracking)
        try:
            self._run = wandb.init(
                reinit="create_new",
                mode=mode,
                project=tracking.project,
                entity=tracking.entity,
                dir=search.folder,
                id=search.search_id,
                resume="allow" if mode == "online" else None,
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
        _finish(self._run, exit_status)


def _mode(tracking: WandB) -> Mode:
    """The mode to log in: offline instead of online if the server does not answer or refuses the key.

    Tested before a run is started, since a start that fails leaves the run's id in use.
    """
    if tracking.mode == "online":
        try:
            reach_server()
        except CommError as error:
            _warn(f"W&B: logging offline: {str(error).splitlines()[0]}")
            return "offline"
        except wandb.Error as error:
            raise _cannot_start(tracking, error) from error
    return tracking.mode


def reach_server() -> wandb.Api:
    """Connect to W&B's server with the user's key.

    Raises:
        CommError: the server does not answer, or refuses the key.
        UsageError: the user has no key.
    """
    try:
        return wandb.Api(timeout=PATIENCE)
    except RefusedByWandB as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise UsageError(f"W&B needs an API key: run `wandb login` ({reason}).") from error
    except CommError:
        # Otherwise the process would wait at its end, for ten minutes, for W&B's service to finish the request.
        time.sleep(SETTLING)
        raise


def _finish(run: wandb.Run, exit_status: int) -> None:
    """End a W&B run; `badger-sweeps sync` delivers what the server has not received."""
    try:
        run.finish(exit_code=exit_status)
    except TimeoutError:
        _warn("W&B: the server has not received all rows yet.")


def _warn(reason: str) -> None:
    message = f"{reason} `badger-sweeps sync DIR` delivers the runs below a folder."
    warnings.warn(message, Undelivered, stacklevel=2)


def stride_of(inner_steps: int) -> int:
    """The W&B steps per iteration of a run: the smallest multiple of `STRIDE` above its number of inner steps."""
    return STRIDE * (inner_steps // STRIDE + 1)


def _inner_name(name: str) -> str:
    """A vector's name in rows of the inner loop: ``inner/binding`` for ``binding/inner``."""
    return name if name.startswith(INNER) else f"{INNER}{name.replace('/inner', '')}"


def _picture(pairs: Mapping[str, float]) -> wandb.Image:
    """A heatmap of the mutual information of all pairs of experts, from dark (0) to light (the largest value)."""
    indices = [tuple(map(int, name.removeprefix("mi/").split("__"))) for name in pairs]
    experts = 1 + max(second for _, second in indices)
    matrix = np.zeros((experts, experts))
    for (first, second), value in zip(indices, pairs.values(), strict=True):
        matrix[first, second] = matrix[second, first] = value
    largest = float(np.nanmax(matrix))
    grey = Image.fromarray(np.nan_to_num(255 * matrix / (largest or 1)).clip(0, 255).astype(np.uint8))
    picture = ImageOps.colorize(grey, "#440154", "#fde725", mid="#21918c")
    large = picture.resize((CELL * experts, CELL * experts), Image.Resampling.NEAREST)
    return wandb.Image(large, caption=f"pairs of experts, 0 to {largest:.3g} bits")


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
        init_timeout=PATIENCE,
        finish_timeout=LAST_PATIENCE,
        finish_timeout_raises=True,
    )


def _start(tracking: WandB, mode: Mode, run: RunDescription, seed: int) -> wandb.Run:
    started = wandb.init(
        reinit="create_new",
        mode=mode,
        project=tracking.project,
        entity=tracking.entity,
        dir=run.folder,
        id=f"{run.run_id}-{seed}",
        resume="allow" if mode == "online" else None,
        group=shortened(run.group, LONGEST),
        name=f"{shortened(run.name, LONGEST - 20)} seed {seed}",
        job_type="train",
        tags=run.tags,
        config={**run.config, "seed": seed},
        settings=_settings(),
    )
    started.define_metric("iteration", hidden=True)
    started.define_metric("inner_step", hidden=True)
    started.define_metric(f"{INNER}*", step_metric="inner_step", summary="none")
    for name in sorted({_pattern(name) for name in run.columns if not name.startswith(INNER)}):
        started.define_metric(name, step_metric="iteration", summary="none")
    started.summary.update(run.graphs[seed]._asdict())
    return started


def _pattern(name: str) -> str:
    """``mi/*`` for ``mi/mean``: axes are defined for groups of metrics, not for each of thousands of pairs."""
    group, slash, _ = name.partition("/")
    return f"{group}/*" if slash else name
