"""Leases: which process works on a trial, and whether it still does."""

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

ATTRIBUTE = "badger:lease"
"""The system attribute of a trial that holds its lease, but for its beats. Only a process that holds the study alone
writes it."""
BEAT = "badger:beat"
"""How the system attribute begins that holds a lease's beats; its token follows. It is written without a lock, and by a
process that was frozen perhaps long after another one has taken the trial over: it must never say whose a trial is."""


@dataclass(frozen=True)
class Owner:
    """A process, told apart from all others on all machines at all times.

    Attributes:
        host: the machine's name.
        space: its boot and the namespace of its process numbers: where `pid` means anything.
        pid: the process's number there.
        started: when it started, since numbers are used again.
    """

    host: str
    space: str
    pid: int
    started: float

    @classmethod
    def here(cls) -> Owner:
        """The process that asks."""
        return cls(platform.node(), _space(), os.getpid(), psutil.Process().create_time())

    @property
    def alive(self) -> bool | None:
        """Whether it lives; None if that cannot be seen from this machine."""
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
        token: drawn when the trial was claimed; whoever holds another one has lost it. None: nobody holds the trial.
        owner: the process that claimed it last.
        beat: grows while that process lives.
        progress: how far it has come, in its own words; told with each beat.
        deaths: how often a process died that held it.
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
        """A lease of this process's."""
        return cls(secrets.token_hex(8), Owner.here(), deaths=deaths, folder=str(folder))

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> Lease | None:
        """The lease among a trial's system attributes; None before there is one."""
        stored = attributes.get(ATTRIBUTE)
        if stored is None:
            return None
        beats = attributes.get(_beats_of(stored["token"]), {})
        return cls(**{**stored, "owner": Owner(**stored["owner"]), **beats})

    def stored(self) -> dict[str, Any]:
        """What is stored when the trial gets into other hands."""
        return {name: value for name, value in asdict(self).items() if name not in ("beat", "progress")}

    def beaten(self, progress: str) -> Lease:
        """The lease after another beat."""
        return replace(self, beat=self.beat + 1, progress=progress)

    @property
    def beats(self) -> tuple[str, dict[str, Any]]:
        """The attribute that a beat writes, which is this lease's alone, and what it writes there."""
        return _beats_of(self.token), {"beat": self.beat, "progress": self.progress}

    def released(self, died: bool) -> Lease:
        """The lease when nobody holds the trial any more."""
        return replace(self, token=None, deaths=self.deaths + died)


class Watch:
    """Tells which leases have run out.

    A process on this machine is looked up. Of one elsewhere only its beats are seen: its lease has run out when no beat
    came for `patience` seconds of this process's own clock, so that clocks need not agree.

    Args:
        patience: seconds.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._seen: dict[str, tuple[int, float]] = {}

    def dead(self, lease: Lease | None) -> bool:
        """Whether nobody works on a running trial with this lease.

        None is the lease of a trial whose claimer died between making the trial and taking the lease: claims are
        made one at a time, so it cannot be on its way.
        """
        if lease is None or lease.token is None:
            return True
        alive = lease.owner.alive
        if alive is not None:
            return not alive
        now = time.monotonic()
        beat, since = self._seen.get(lease.token, (-1, now))
        if beat != lease.beat:
            since = now
        self._seen[lease.token] = (lease.beat, since)
        return now - since > self._patience


def _beats_of(token: str | None) -> str:
    return f"{BEAT}:{token}"


@cache
def _space() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    known = [boot.read_text().strip()] if boot.exists() else [str(psutil.boot_time())]
    return " ".join([*known, str(namespace.readlink())] if namespace.exists() else known)
