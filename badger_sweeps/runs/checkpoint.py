"""`checkpoint.pt`: the state from which a stopped run continues exactly; `snapshots/`: earlier states of the run."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from badger_sweeps.core.errors import UsageError
from badger_sweeps.core.files import replacing
from badger_sweeps.training.loop import Records, next_multiple
from badger_sweeps.training.population import Population

CHECKPOINT_FILE = "checkpoint.pt"
FORMAT = 3
"""The version of the checkpoint's content; increased when the content changes."""
SNAPSHOTS = "snapshots"


class Checkpointer:
    """Saves a population every `training.checkpoint_every` and `training.snapshot_every` iterations.

    Args:
        folder: the run's folder. Snapshots of later iterations than the population's are removed: they are of a run
            that was restarted from iteration 0.
        population: the population to save.
        before: called before each save of the checkpoint. The run flushes its history and its tracker here, so that
            neither ends before the checkpoint.
    """

    def __init__(self, folder: Path, population: Population, before: Callable[[], None]) -> None:
        self._path, self._snapshots = folder / CHECKPOINT_FILE, folder / SNAPSHOTS
        self._population, self._identity = population, population.experiment.identity
        self._before = before
        for path in snapshots(folder):
            if int(path.stem) > population.iteration:
                path.unlink()
        if population.iteration == 0:
            self._write(self._snapshot_if_due())

    def next_stop(self, iteration: int) -> int:
        """The next iteration, after `iteration`, at which a checkpoint or a snapshot is due."""
        training = self._population.experiment.training
        return min(next_multiple(every, iteration) for every in (training.checkpoint_every, training.snapshot_every))

    def observe(self, records: Records) -> None:
        """Save the checkpoint or a snapshot if the records complete a multiple of the setting's iterations."""
        if records.iterations.stop != self._population.iteration:  # further records of the same iterations follow
            return
        due = self._population.iteration % self._population.experiment.training.checkpoint_every == 0
        if due:
            self._before()
        # The checkpoint last: a run that continues from it does not come back to the snapshot.
        self._write([*self._snapshot_if_due(), *([self._path] if due else [])])

    def save(self) -> None:
        """Replace the checkpoint atomically by the population's current state."""
        self._before()
        self._write([self._path])

    def _snapshot_if_due(self) -> list[Path]:
        every = self._population.experiment.training.snapshot_every
        if every is None or self._population.iteration % every:
            return []
        self._snapshots.mkdir(exist_ok=True)
        return [self._snapshots / f"{self._population.iteration:09d}.pt"]

    def _write(self, paths: Sequence[Path]) -> None:
        """Write the population's current state to each of these files."""
        if not paths:
            return
        content = io.BytesIO()
        state = self._population.state_dict()
        torch.save({"format": FORMAT, "identity": self._identity, "population": state}, content)
        for path in paths:
            with replacing(path) as file:
                file.write(content.getbuffer())


def snapshots(folder: Path) -> list[Path]:
    """The paths of the snapshots in a run's folder, in order of iterations."""
    return sorted(path for path in (folder / SNAPSHOTS).glob("*.pt") if path.stem.isdigit())


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The experiment's identity and the population's state in a checkpoint or snapshot.

    Raises:
        UsageError: the file is damaged, or was written by a version of this package with another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        identity, state = dict(content["identity"]), dict(content["population"])
        made_with, _ = content.get("format", 1), state["iteration"]
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError):
        found = f"a damaged file of {path.stat().st_size} bytes"
        way_out = " Delete it to restart." if path.name == CHECKPOINT_FILE else ""
        raise UsageError(f"`{path}` must be a whole checkpoint; found {found}.{way_out}") from None
    if made_with != FORMAT:
        age = "an earlier" if made_with < FORMAT else "a later"
        rule = f"must be a checkpoint of this version of badger_sweeps (format {FORMAT})"
        raise UsageError(
            f"`{path}` {rule}; found one of {age} version (format {made_with}), the only one that can continue it."
        )
    return identity, state


def check_identity(saved: Mapping[str, Any], identity: Mapping[str, Any], where: Path) -> None:
    """Raise a `UsageError` if the checkpoint in the folder `where` was saved by another configuration."""
    for key in sorted(saved.keys() | identity.keys()):
        if saved.get(key) != identity.get(key):
            rule = f"must be {saved.get(key)!r}, as in the checkpoint of `{where}`"
            raise UsageError(f"`{key}` {rule}; found {identity.get(key)!r}.")


def load_checkpoint(folder: Path, identity: Mapping[str, Any], iterations: int) -> dict[str, Any] | None:
    """The population's state saved in `folder`, or None if there is no checkpoint.

    Args:
        folder: the run's folder.
        identity: the identity of the experiment to continue (`Experiment.identity`).
        iterations: the experiment's total number of iterations.

    Raises:
        UsageError: the checkpoint is damaged, was made by another configuration, or is past `iterations`.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    saved, state = read_checkpoint(path)
    check_identity(saved, identity, folder)
    done = state["iteration"]
    if done > iterations:
        rule = f"must be at least the {done} iterations done already in `{folder}`"
        raise UsageError(f"`training.iterations` {rule}; found {iterations}.")
    return state
