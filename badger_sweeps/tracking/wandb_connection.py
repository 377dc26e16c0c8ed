"""The connection to Weights & Biases (W&B): starting and ending its runs, also when its server does not answer."""

from __future__ import annotations

import os
import time
import warnings
from typing import Literal

import wandb
from wandb.errors import CommError
from wandb.errors import UsageError as RefusedByWandB

from badger_sweeps.core.errors import UsageError

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # by default W&B reports usage errors even of offline runs

LONGEST = 128
"""Maximum length of a name or a group in W&B, in characters."""
PATIENCE = 10
"""Seconds that a start waits for the server's answer."""
SETTLING = 1.0
"""Seconds that W&B's service needs to finish a request that has timed out."""
LAST_PATIENCE = 30
"""Seconds that the end of a run waits for the server to receive the remaining data."""

Mode = Literal["offline", "online"]


class Undelivered(RuntimeWarning):
    """W&B's server does not answer; the data that was not delivered stays on disk."""


def reachable_mode(mode: Mode) -> Mode:
    """The mode to log in: offline instead of online if the server does not answer or refuses the key.

    Tested before a run is started, since a start that fails leaves the run's id in use.
    """
    if mode == "online":
        try:
            reach_server()
        except CommError as error:
            warn_undelivered(f"W&B: logging offline: {str(error).splitlines()[0]}")
            return "offline"
        except wandb.Error as error:
            raise cannot_start(mode, error) from error
    return mode


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


def finish(run: wandb.Run, exit_status: int) -> None:
    """End a W&B run; `badger-sweeps sync` delivers what the server has not received."""
    try:
        run.finish(exit_code=exit_status)
    except TimeoutError:
        warn_undelivered("W&B: the server has not received all rows yet.")


def warn_undelivered(reason: str) -> None:
    """Warn that data stays on disk, for a reason, and name the command that delivers it."""
    message = f"{reason} `badger-sweeps sync DIR` delivers the runs below a folder."
    warnings.warn(message, Undelivered, stacklevel=2)


def cannot_start(mode: Mode, error: wandb.Error) -> UsageError:
    """The error for a user whose W&B run could not be started."""
    first_line = str(error).splitlines()[0]
    return UsageError(f"`tracking.mode` must be one W&B can start in; found {mode}: {first_line}")


def client_settings() -> wandb.Settings:
    """The settings of every W&B run."""
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
