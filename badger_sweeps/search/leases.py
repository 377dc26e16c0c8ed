"""Leases: which process works on a trial, and whether that process still lives."""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import psutil

LEASE_ATTRIBUTE = "badger:lease"
"""The system attribute of a trial that holds its lease, without the heartbeats. A process writes it only while it holds
the search's lock."""
HEARTBEAT_ATTRIBUTE = "badger:beat"
"""How the name of the system attribute with a lease's heartbeats begins; the lease's token follows. A process writes it
without a lock, possibly long after another process has taken the trial over (if the first was stopped meanwhile). It
must therefore not say which process has the trial."""


class LeaseLost(Exception):
    """Another process has taken this trial over, because this process seemed dead."""


@dataclass(frozen=True)
class Claim:
    """A trial that this process has claimed and works on.

    Attributes:
        number: the trial's number.
        trial_id: Optuna's id of the trial.
        params: the trial's parameters.
        token: the token of its lease.
        folder: where the trial's files go.
    """

    number: int
    trial_id: int
    params: Mapping[str, Any]
    token: str
    folder: Path


@dataclass(frozen=True)
class Owner:
    """A process, distinguished from all others on all machines and all times.

    Attributes:
        host: the machine's name.
        space: the machine's boot and the namespace of process ids: `pid` has a meaning only there.
        pid: the process id.
        started: when the process started, because process ids are used again; seconds since the epoch.
    """

    host: str
    space: str
    pid: int
    started: float

    @classmethod
    def this_process(cls) -> Owner:
        """The calling process."""
        return cls(platform.node(), _space(), os.getpid(), psutil.Process().create_time())

    @property
    def alive(self) -> bool | None:
        """Whether the process lives; None if this machine cannot see it."""
        if (self.host, self.space) != (platform.node(), _space()):
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1
            return same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class Lease:
    """A trial's lease, as it is stored with the trial.

    Attributes:
        token: drawn when the trial is claimed; a process with another token has lost the trial. None: no process has
            the trial.
        owner: the process that claimed the trial last.
        beat: the number of heartbeats, which grows while the owner lives.
        progress: how far the trial is, as text; stored with each heartbeat.
        deaths: how often a process died that held the lease.
        folder: where the trial's files are, on the owner's machine.
    """

    token: str | None
    owner: Owner
    beat: int = 0
    progress: str = ""
    deaths: int = 0
    folder: str = ""

    @classmethod
    def new(cls, deaths: int, folder: Path) -> Lease:
        """A new lease of the calling process."""
        return cls(secrets.token_hex(8), Owner.this_process(), deaths=deaths, folder=str(folder))

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> Lease | None:
        """The lease among a trial's system attributes; None for a trial that has never had one."""
        stored = attributes.get(LEASE_ATTRIBUTE)
        if stored is None:
            return None
        heartbeat = attributes.get(_heartbeat_attribute(stored["token"]), {})
        return cls(**{**stored, "owner": Owner(**stored["owner"]), **heartbeat})

    def stored(self) -> dict[str, Any]:
        """The value of `LEASE_ATTRIBUTE`."""
        return {name: value for name, value in asdict(self).items() if name not in ("beat", "progress")}

    def after_heartbeat(self, progress: str) -> Lease:
        """The lease after one more heartbeat."""
        return replace(self, beat=self.beat + 1, progress=progress)

    @property
    def heartbeat_attribute(self) -> tuple[str, dict[str, Any]]:
        """The name of the attribute with this lease's heartbeats, which no other lease shares, and its value."""
        return _heartbeat_attribute(self.token), {"beat": self.beat, "progress": self.progress}

    def released(self, died: bool) -> Lease:
        """The lease after its process has given the trial up, or has died."""
        return replace(self, token=None, deaths=self.deaths + died)


class LeaseMonitor:
    """Decides which leases have expired.

    The owner of a lease is looked up if it runs on this machine. Of an owner on another machine only the heartbeats are
    seen: its lease has expired when no heartbeat came for `patience` seconds by the clock of the calling process, so
    the clocks of the machines need not agree.

    Args:
        patience: seconds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._last_beats: dict[str, tuple[int, float]] = {}

    def expired(self, lease: Lease | None) -> bool:
        """Whether no process works on a running trial with this lease.

        None stands for a trial whose process died after it had created the trial and before it stored the lease: trials
        are claimed one at a time, so no lease can be on its way.
        """
        if lease is None or lease.token is None:
            return True
        alive = lease.owner.alive
        if alive is not None:
            return not alive
        now = time.monotonic()
        beat, since = self._last_beats.get(lease.token, (-1, now))
        if beat != lease.beat:
            since = now
        self._last_beats[lease.token] = (lease.beat, since)
        return now - since > self._patience


def _heartbeat_attribute(token: str | None) -> str:
    return f"{HEARTBEAT_ATTRIBUTE}:{token}"


@cache
def _space() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    parts = [boot.read_text().strip()] if boot.exists() else [str(psutil.boot_time())]
    return " ".join([*parts, str(namespace.readlink())] if namespace.exists() else parts)
