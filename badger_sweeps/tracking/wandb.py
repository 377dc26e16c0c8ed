"""Weights & Biases (W&B): one W&B run per seed, all logged by one process, grouped by configuration."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Annotated, Any

import numpy as np
import wandb
from PIL import Image, ImageOps
from pydantic import Field

from badger_sweeps.core.columns import INNER_STEP, Column, pair_groups
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
from badger_sweeps.tracking.wandb_code import CodeLogger
from badger_sweeps.tracking.wandb_connection import (
    LAST_PATIENCE,
    LONGEST,
    Mode,
    cannot_start,
    client_settings,
    finish,
    reachable_mode,
    warn_undelivered,
)
from badger_sweeps.tracking.wandb_search import WandBSearch
from badger_sweeps.training.loop import Record, Records

INNER = "inner/"
"""Prefix of the names in rows of the inner loop, whose axis is the inner step."""
STRIDE = 100
"""W&B steps per iteration. The steps between two iterations are for rows of the inner loop, since W&B accepts rows in
increasing order of steps only. Runs with at least as many inner steps use a multiple of it (`stride_of`)."""
RECORDED_STRIDE = "steps_per_iteration"
"""The key of a run's configuration in W&B that records a stride other than `STRIDE`."""
MOST_UNLOGGED = 16
"""Records that may wait to be logged; the run waits if there are more."""
CELL = 16
"""Width of one pair of experts in the picture of all pairs, in pixels."""


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
        return WandBSearch(self, search)


class _Runs(Tracker):
    """One W&B run for each seed. Records are logged by a thread, while the kernel computes the next iterations."""

    def __init__(self, tracking: WandB, run: RunDescription) -> None:
        self._every, self._pairs_every = tracking.every, tracking.pairs_every
        self._thread = ThreadPoolExecutor(1)
        self._unlogged: deque[Future[None]] = deque()
        self._pairs = pair_groups(run.columns.values())
        self._along = sorted(name for name, column in run.columns.items() if column.axis == INNER_STEP)
        self._pictured = dict.fromkeys(self._pairs, (run.first_iteration - 1) // self._pairs_every)
        self._inner: dict[int, dict[str, list[float]]] = {}
        self._last = run.first_iteration
        self._stride = stride_of(run.inner_steps)
        self._logged_with_stride: dict[int, int] = {}  # by seed, of the rows that the server has
        self._stride_to_record: set[int] = set()
        self._runs: dict[int, wandb.Run] = {}
        self._code: CodeLogger | None = None
        mode = reachable_mode(tracking.mode)
        try:
            for seed in run.seeds:
                self._runs[seed] = _start(tracking, mode, run, seed)
                self._logged_with_stride[seed] = int(dict(self._runs[seed].config).get(RECORDED_STRIDE, STRIDE))
                if self._logged_with_stride[seed] != self._stride:
                    self._stride_to_record.add(seed)
        except wandb.Error as error:
            self.close(exit_status=1)
            raise cannot_start(tracking.mode, error) from error
        self._code = CodeLogger(run.code, list(self._runs.values()), mode)
        self._code.start()

    def observe(self, records: Records) -> None:
        self._last = records.iterations[-1]
        for record in records:
            if record.iteration % self._every == 0 or record.measures:
                self._unlogged.append(self._thread.submit(self._log_record, record))
        self._wait(MOST_UNLOGGED)

    def flush(self) -> None:
        self._wait(0)

    def _wait(self, unlogged: int) -> None:
        """Wait until at most so many records are not logged; an error of logging is raised here."""
        while self._unlogged and (len(self._unlogged) > unlogged or self._unlogged[0].done()):
            self._unlogged.popleft().result()

    def _log_record(self, record: Record) -> None:
        values = {**record.metrics, **record.measures}
        inner = [name for name in self._along if name in values]
        pictured = {
            group: pairs
            for group, pairs in self._pairs.items()
            if pairs[0].name in values and self._is_due(group, record.iteration)
        }
        left_out = {pair.name for group, pairs in self._pairs.items() if group not in pictured for pair in pairs}
        for position, seed in enumerate(record.seeds):
            # A vector becomes a list of numbers.
            row = {name: values[name][position].tolist() for name in values if name not in left_out}
            for name in inner:
                inner_name = _inner_name(name)
                # A metric has one axis in W&B: a vector logged by inner step is not logged by iteration as well.
                vector = row.pop(name) if name == inner_name else row[name]
                self._inner.setdefault(seed, {})[inner_name] = vector
            if self._is_logged(seed, record.iteration):  # by a session that was killed
                continue
            for group, pairs in pictured.items():
                row[picture_name(group)] = _picture(pairs, [float(values[pair.name][position]) for pair in pairs])
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

    def _is_due(self, group: str, iteration: int) -> bool:
        """Whether this is the group's first measurement since the last multiple of `pairs_every` iterations."""
        before, self._pictured[group] = self._pictured[group], iteration // self._pairs_every
        return self._pictured[group] > before

    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        self.flush()
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
        self._thread.shutdown()
        if self._code is not None:
            self._code.join(LAST_PATIENCE)
        with ThreadPoolExecutor(max(1, len(self._runs))) as pool:  # each waits if the server does not answer
            list(pool.map(lambda run: finish(run, exit_status), self._runs.values()))
        if self._code is not None and not self._code.delivered:
            warn_undelivered("W&B: the server has not received the code.")
        self.flush()  # raises an error of logging that nobody has seen


def stride_of(inner_steps: int) -> int:
    """The W&B steps per iteration of a run: the smallest multiple of `STRIDE` above its number of inner steps."""
    return STRIDE * (inner_steps // STRIDE + 1)


def _inner_name(name: str) -> str:
    """A vector's name in rows of the inner loop: ``inner/binding`` for ``binding/inner``."""
    return name if name.startswith(INNER) else f"{INNER}{name.replace('/inner', '')}"


def picture_name(group: str) -> str:
    """The name in W&B of the picture of all pairs of a `Column.group`."""
    return f"{group}_pairs"


def _picture(pairs: Sequence[Column], values: Sequence[float]) -> wandb.Image:
    """A heatmap of a measure of all pairs of experts, from dark (0) to light (the largest value)."""
    experts = 1 + max(index for pair in pairs for index in pair.indices)
    matrix = np.zeros((experts, experts))
    for pair, value in zip(pairs, values, strict=True):
        first, second = pair.indices
        matrix[first, second] = matrix[second, first] = value
    largest = float(np.nanmax(matrix))
    grey = Image.fromarray(np.nan_to_num(255 * matrix / (largest or 1)).clip(0, 255).astype(np.uint8))
    picture = ImageOps.colorize(grey, "#440154", "#fde725", mid="#21918c")
    large = picture.resize((CELL * experts, CELL * experts), Image.Resampling.NEAREST)
    return wandb.Image(large, caption=f"pairs of experts, 0 to {largest:.3g} {pairs[0].unit}".rstrip())


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
        settings=client_settings(),
    )
    started.define_metric("iteration", hidden=True)
    started.define_metric("inner_step", hidden=True)
    started.define_metric(f"{INNER}*", step_metric="inner_step", summary="none")
    for name in sorted({_pattern(name) for name in run.columns} - {f"{INNER}*"}):
        started.define_metric(name, step_metric="iteration", summary="none")
    started.summary.update(run.graphs[seed]._asdict())
    return started


def _pattern(name: str) -> str:
    """``mi/*`` for ``mi/mean``: axes are defined for groups of metrics, not for each of thousands of pairs."""
    group, slash, _ = name.partition("/")
    return f"{group}/*" if slash else name
