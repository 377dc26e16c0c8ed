"""The trial that this process works on. Every run asks for it: this module does not import Optuna."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from badger_sweeps.search.trial import Trial

# Hydra's `run_job` calls the task function, in the worker's process, with a configuration and nothing else. The worker
# therefore leaves the trial here (`trial.sending_heartbeats`), and `commands.app` reads it (`current_trial`). A context
# variable, not a global, because launchers may run jobs in threads of one process, each with a trial of its own.
_current: ContextVar[Trial | None] = ContextVar("trial", default=None)


def current_trial() -> Trial | None:
    """The trial that this process works on; None outside of searches."""
    return _current.get()


@contextmanager
def working_on(trial: Trial) -> Iterator[None]:
    """Within this context the trial is the current one."""
    token = _current.set(trial)
    try:
        yield
    finally:
        _current.reset(token)
