"""A search in Weights & Biases (W&B): one W&B run with a row for each trial that ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import wandb

from badger_sweeps.core.names import shortened
from badger_sweeps.tracking.base import SearchDescription, SearchTracker
from badger_sweeps.tracking.wandb_connection import LONGEST, cannot_start, client_settings, finish, reachable_mode

if TYPE_CHECKING:
    from badger_sweeps.tracking.wandb import WandB


class WandBSearch(SearchTracker):
    """Logs a search; see `SearchTracker`."""

    def __init__(self, tracking: WandB, search: SearchDescription) -> None:
        mode = reachable_mode(tracking.mode)
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
                settings=client_settings(),
            )
        except wandb.Error as error:
            raise cannot_start(tracking.mode, error) from error
        self._run.define_metric("ended", hidden=True)
        self._run.define_metric("search/*", step_metric="ended", summary="none")

    def observe(self, step: int, row: Mapping[str, Any]) -> None:
        self._run.log({"ended": step, **{f"search/{name}": value for name, value in row.items()}}, step=step)

    def close(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        self._run.summary.update(dict(summary))
        finish(self._run, exit_status)
