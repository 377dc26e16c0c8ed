"""A search without an application: the test itself claims trials and tells their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from badger_sweeps.search.leases import Claim
from badger_sweeps.search.search import Search
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import Space
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus
from hydra_plugins.badger_sweeper._grammar import SearchParameters
from hydra_plugins.badger_sweeper._specification import SearchSpecification
from hydra_plugins.badger_sweeper.config import SAMPLERS

Objective = Callable[[Mapping[str, Any]], float | Sequence[float]]


def specification(
    folder: Path, space: Space, sampler: str | Mapping[str, Any] = "random", **settings: Any
) -> SearchSpecification:
    """A search with one of the samplers of our configuration, or one described as they are; seed 0."""
    described = SAMPLERS[sampler] if isinstance(sampler, str) else sampler
    return SearchSpecification(
        address=StorageAddress.parse(None, folder),
        name="study",
        folder=folder,
        parameters=SearchParameters(space, tuple(space.distributions), {}),
        settings=SearchSettings(**{"n_trials": 15, "grid": sampler == "grid", **settings}),
        sampler=described,
        pruner=None,
        race=None,
        constraints={},
        extend=None,
    )


def begin(described: SearchSpecification, first: Sequence[Mapping[str, Any]] = ()) -> Search:
    """The search, as one process opens it."""
    search = described.open(OmegaConf.create())
    search.begin({}, first)
    return search


def outcome_of(claim: Claim, objective: Objective) -> TrialOutcome:
    value = objective(claim.params)
    return TrialOutcome(TrialStatus.COMPLETED, (float(value),) if isinstance(value, int | float) else tuple(value))


def work(search: Search, objective: Objective, rounds: int = 10**6) -> list[Mapping[str, Any]]:
    """Claim trials and tell their outcomes until none is left, at most `rounds`; returns the points."""
    points = []
    while len(points) < rounds:
        claim = search.claim()
        if claim is None:
            break
        points.append(claim.params)
        search.tell(claim, outcome_of(claim, objective))
    return points
