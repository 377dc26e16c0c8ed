"""Weights & Biases: one run per seed, all live in one process, grouped by configuration."""

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

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # W&B reports on its own use even of offline runs

LONGEST = 128
"""Characters that W&B takes for a name or a group."""
PATIENCE = 10
"""Seconds that a start waits for the server."""
SETTLING = 1.0
"""Seconds that W&B's service needs to be done with a request that was given up."""
LAST_PATIENCE = 30
"""Seconds that the end of a run waits for what the server has not taken yet."""
INNER = "inner/"
"""What the names of rows of the inner loop begin with: they have the inner step as their axis."""
STRIDE = 100
"""W&B's own steps to an iteration: room for rows of inner steps, since a step that was passed cannot be logged. Runs
with as many inner steps or more take the next multiple that has room for all of them (`stride_of`)."""
NOTED_STRIDE = "steps_per_iteration"
"""The key of a run's configuration in W&B under which another stride than `STRIDE` is noted."""
CELL = 16
"""Pixels of a pair of experts in the picture of all."""

CODE = "badger_sweeps"
"""The artifact of the package's code."""

Mode = Literal["offline", "online"]


class Undelivered(RuntimeWarning):
    """W&B's server does not answer; what it would have been told is kept."""


@settings
class WandB(Tracking):
    """Settings of the W&B tracker.

    Args:
        mode: ``offline`` writes below the run's folder and never connects (``make sync`` delivers later); ``online``
            needs a key.
        project: the W&B project.
        entity: the W&B user or team; null for the key's default.
        every: iterations between logged rows, beside those with measures. `history.parquet` has them all.
        pairs_every: iterations between rows with a column for each pair of experts, and their picture.
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
        self._told_by: dict[int, int] = {}  # the stride of the rows that the server has
        self._to_note: set[int] = set()
        self._runs: dict[int, wandb.Run] = {}
        self._code: _Code | None = None
        mode = _mode(tracking)
        try:
            for seed in run.seeds:
                self._runs[seed] = _start(tracking, mode, run, seed)
                self._told_by[seed] = int(dict(self._runs[seed].config).get(NOTED_STRIDE, STRIDE))
                if self._told_by[seed] != self._stride:
                    self._to_note.add(seed)
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
            if self._is_told(seed, record.iteration):  # of a session that was killed
                continue
            if pictured:
                row["mi_pairs"] = _picture({name: float(values[name][position]) for name in self._pairs})
            self._log(seed, {"iteration": record.iteration, **row}, record.iteration)

    def _is_told(self, seed: int, iteration: int, inner_step: int = 0) -> bool:
        """Whether the server has the row, by the stride of the session that told it."""
        return self._told_by[seed] * iteration + inner_step < self._runs[seed].starting_step

    def _log(self, seed: int, row: dict[str, Any], iteration: int, inner_step: int = 0) -> None:
        """Rows of a longer stride come after all of a shorter one, and the stride is noted with the first of them."""
        if seed in self._to_note:
            noted = {NOTED_STRIDE: self._stride}
            self._runs[seed].config.update(noted, allow_val_change=True)  # type: ignore[no-untyped-call]
            self._to_note.remove(seed)
        # The step is given, since after a restart offline W&B would count from 0 again.
        self._runs[seed].log(row, step=self._stride * iteration + inner_step)

    def _is_due(self, iteration: int) -> bool:
        """Whether this is the first measurement of so many iterations."""
        before, self._pictured = self._pictured, iteration // self._pairs_every
        return self._pictured > before

    def conclude(self, outcomes: Sequence[SeedOutcome], objective: str, values: Sequence[float]) -> None:
        self._show_inner_loop([outcome.seed for outcome in outcomes])
        for outcome, value in zip(outcomes, values, strict=True):
            self._runs[outcome.seed].summary.update(
                {
                    **outcome.as_row(),
                    "plateaus": len(outcome.plateaus),
                    "objective": value,
                    "objective_name": objective,
                }
            )

    def _show_inner_loop(self, seeds: Sequence[int]) -> None:
        """The last vectors over inner steps, as rows of their own with the inner step as their axis.

        They follow the run's last iteration. When a run that went on without measuring them again is delivered once
        more, they follow its new last one too: whether the server has them from before cannot be seen.
        """
        for seed in seeds:
            columns = self._inner.get(seed, {})
            for inner_step, row in enumerate(zip(*columns.values(), strict=True), start=1):
                if not self._is_told(seed, self._last, inner_step):
                    named = dict(zip(columns, row, strict=True))
                    self._log(seed, {"inner_step": inner_step, **named}, self._last, inner_step)

    def close(self, exit_status: int) -> None:
        if self._code is not None:
            self._code.join(LAST_PATIENCE)
        with ThreadPoolExecutor(max(1, len(self._runs))) as pool:  # each may wait for a server that has died
            list(pool.map(lambda run: _finish(run, exit_status), self._runs.values()))
        if self._code is not None and not self._code.taken:
            _warn("W&B: the server has not taken the code.")


class _Code(Thread):
    """Gives the package's code to all runs, beside the training, since the server is asked about it.

    W&B keeps it once, by its content, as an artifact of the project.
    """

    def __init__(self, files: Sequence[Path], runs: Sequence[wandb.Run], mode: Mode) -> None:
        super().__init__(daemon=True)
        self._files, self._runs, self._mode = files, runs, mode
        self.taken = False

    def run(self) -> None:
        for path in self._files:
            for place, run in enumerate(self._runs):
                artifact = wandb.Artifact(CODE, type="code")
                try:
                    artifact.add_file(str(path), policy="immutable", skip_cache=True)  # no copy: it stays where it is
                    logged = run.log_artifact(artifact)
                    if self._mode == "online" and not place:
                        logged.wait(LAST_PATIENCE)  # then the others find it there, and do not send it again
                except (wandb.Error, ValueError, OSError, WandbApiFailedError):
                    return
        self.taken = True


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
    """The mode that can be had: without a server, or with one that refuses the key, what was to be online is offline.

    Asking before a run is started, since a start that fails leaves its id taken.
    """
    if tracking.mode == "online":
        try:
            reach_server()
        except CommError as error:
            _warn(f"W&B: going on offline: {str(error).splitlines()[0]}")
            return "offline"
        except wandb.Error as error:
            raise _cannot_start(tracking, error) from error
    return tracking.mode


def reach_server() -> wandb.Api:
    """Ask the server whether it takes the key.

    Raises:
        CommError: it does not answer, or refuses.
        wandb.Error: there is no key.
    """
    try:
        return wandb.Api(timeout=PATIENCE)
    except CommError:
        # A process that ends while W&B's service still answers a request that was given up waits ten minutes for it.
        time.sleep(SETTLING)
        raise


def _finish(run: wandb.Run, exit_status: int) -> None:
    """End the run; what the server has not taken stays for `make sync`."""
    try:
        run.finish(exit_code=exit_status)
    except TimeoutError:
        _warn("W&B: the server has not taken everything yet.")


def _warn(reason: str) -> None:
    words = f"{reason} `make sync RUNS=DIR` delivers what is below a folder."
    warnings.warn(words, Undelivered, stacklevel=2)


def stride_of(inner_steps: int) -> int:
    """The steps to an iteration of a run: the first multiple of `STRIDE` above its inner steps."""
    return STRIDE * (inner_steps // STRIDE + 1)


def _inner_name(name: str) -> str:
    """What rows of the inner loop call a vector: ``binding/inner`` is ``inner/binding`` there."""
    return name if name.startswith(INNER) else f"{INNER}{name.replace('/inner', '')}"


def _picture(pairs: Mapping[str, float]) -> wandb.Image:
    """Mutual information of all pairs of experts, from dark (0) to light (the most there is)."""
    places = [tuple(map(int, name.removeprefix("mi/").split("__"))) for name in pairs]
    experts = 1 + max(second for _, second in places)
    matrix = np.zeros((experts, experts))
    for (first, second), value in zip(places, pairs.values(), strict=True):
        matrix[first, second] = matrix[second, first] = value
    most = float(np.nanmax(matrix))
    grey = Image.fromarray(np.nan_to_num(255 * matrix / (most or 1)).clip(0, 255).astype(np.uint8))
    picture = ImageOps.colorize(grey, "#440154", "#fde725", mid="#21918c")
    large = picture.resize((CELL * experts, CELL * experts), Image.Resampling.NEAREST)
    return wandb.Image(large, caption=f"pairs of experts, 0 to {most:.3g} bits")


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
    """``mi/*`` for ``mi/mean``: W&B is told of groups rather than of each of thousands of pairs."""
    group, slash, _ = name.partition("/")
    return f"{group}/*" if slash else name
