"""`checkpoint.pt`: everything needed to go on exactly where a run stopped."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from badger_sweeps.foundations.errors import UsageError
from badger_sweeps.foundations.files import replacing
from badger_sweeps.training.loop import Record
from badger_sweeps.training.population import Population

NAME = "checkpoint.pt"


class Checkpointer:
    """Saves a population every so many iterations.

    Args:
        folder: the run's folder.
        population: what is saved.
        every: iterations between checkpoints.
        before: called before each save; history flushes here, so that it never ends before its checkpoint.
    """

    def __init__(self, folder: Path, population: Population, every: int, before: Callable[[], None]) -> None:
        self._path = folder / NAME
        self._population = population
        self._every = every
        self._before = before

    def observe(self, record: Record) -> None:
        """Save where the record completes `every` iterations."""
        if (record.iteration + 1) % self._every == 0:
            self.save()

    def save(self) -> None:
        """Replace the checkpoint, in one step, by the population's present state."""
        self._before()
        content = {"identity": self._population.experiment.identity, "population": self._population.state_dict()}
        with replacing(self._path) as file:
            torch.save(content, file)


def load_checkpoint(folder: Path, identity: Mapping[str, Any], iterations: int) -> dict[str, Any] | None:
    """The population's state saved in `folder`, or None where there is no checkpoint.

    Args:
        folder: the run's folder.
        identity: of the experiment that wants to go on (`Experiment.identity`).
        iterations: where it will end.

    Raises:
        UsageError: the checkpoint is damaged, was made by another configuration, or is past `iterations`.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        saved, state = dict(content["identity"]), dict(content["population"])
        done = state["iteration"]
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError):
        found = f"a damaged file of {path.stat().st_size} bytes"
        raise UsageError(f"`{path}` must be a whole checkpoint; found {found}. Delete it to start anew.") from None
    for key in sorted(saved.keys() | identity.keys()):
        if saved.get(key) != identity.get(key):
            rule = f"must be {saved.get(key)!r}, as in the checkpoint of `{folder}`"
            raise UsageError(f"`{key}` {rule}; found {identity.get(key)!r}.")
    if done > iterations:
        rule = f"must be at least the {done} iterations done already in `{folder}`"
        raise UsageError(f"`training.iterations` {rule}; found {iterations}.")
    return state
