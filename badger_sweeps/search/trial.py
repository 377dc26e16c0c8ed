"""The trial that this process works on, as the work itself sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from badger_sweeps.search.pruning import Pruning, Standing
from badger_sweeps.search.racing import Race
from badger_sweeps.search.storage import NO_ANSWER
from badger_sweeps.search.study import Claim, LeaseLost, Study
from badger_sweeps.search.trial_outcome import State

_current: ContextVar[Trial | None] = ContextVar("trial", default=None)


@dataclass
class Trial:
    """A claimed trial, handed to the task function through `in_progress`.

    Attributes:
        study: its study.
        claim: the claim on it.
        pruning: whether it may be stopped early, and when.
        race: how it adds seeds; None to train all at once.
        progress: how far it has come, in words; sent with every sign of life.
        state: how it ended, where the task knows better than its return value does.
        reason: why.
        details: what is told of it beside its value, plain values by name.
        quantities: what constraints may be put on.
    """

    study: Study
    claim: Claim
    pruning: Pruning | None = None
    race: Race | None = None
    progress: str = ""
    state: State = State.COMPLETED
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    quantities: Mapping[str, float] = field(default_factory=dict)
    lost: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        """What groups call it: ``shorten_plateaus 12``."""
        return f"{self.study.name} {self.claim.number}"

    def check(self) -> None:
        """Raise `LeaseLost` if another process has taken the trial over."""
        if self.lost.is_set():
            raise LeaseLost(self.claim.number)

    def verdict(self, standing: Standing) -> str | None:
        """Why it is to be stopped now; None if it goes on, as it does while the study cannot be read."""
        if self.pruning is None:
            return None
        try:
            return self.pruning.verdict(self.study.optuna, self.study.storage, self.claim.trial_id, standing)
        except NO_ANSWER:
            return None


def in_progress() -> Trial | None:
    """The trial that this process works on; None outside of sweeps."""
    return _current.get()


@contextmanager
def at_work(trial: Trial, stop_requested: Callable[[], bool], stop: Callable[[], None]) -> Iterator[None]:
    """Within this context the trial is in progress, and shows signs of life until it is left or the lease is lost.

    Args:
        trial: the trial.
        stop_requested: asked at every beat, until it is so.
        stop: called once it is so; the trial is still to be saved then, which may take longer than a beat.
    """
    done = threading.Event()

    def beat() -> None:
        stopped = False
        while not done.wait(trial.study.settings.heartbeat):
            try:
                trial.study.beat(trial.claim, trial.progress)
                if not stopped and stop_requested():
                    stopped = True
                    stop()
            except LeaseLost:
                trial.lost.set()
                return
            except Exception:
                # Whatever it is, it may have passed by the next beat. A process that lives must be seen to do so, or
                # another one begins the same work; what does not pass is met again where the trial's end is told.
                continue

    heart = threading.Thread(target=beat, name=f"trial {trial.claim.number}", daemon=True)
    token = _current.set(trial)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join(timeout=10)
        _current.reset(token)
