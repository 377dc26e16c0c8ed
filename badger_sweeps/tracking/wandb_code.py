"""The package's code in W&B: an artifact of the runs that it computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import wandb
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from badger_sweeps.tracking.wandb_connection import LAST_PATIENCE, Mode

CODE = "badger_sweeps"
"""Name of the artifact that holds the package's code."""


class CodeLogger(Thread):
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
