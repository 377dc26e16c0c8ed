"""A search of a small space, and processes that claim its trials."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from badger_sweeps.search.leases import Claim
from badger_sweeps.search.search import Search
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import Space
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus
from tests.search.commands import in_child

SPACE = Space(
    {"x": FloatDistribution(0, 1), "n": IntDistribution(1, 1000), "kind": CategoricalDistribution(["a", "b"])}
)
DEFINITION = {"what": "this"}
DONE = TrialOutcome(TrialStatus.COMPLETED, (1.0,))
NAME = "study"


def random_sampler(seed: int | None) -> BaseSampler:
    return RandomSampler(seed)


def tpe(seed: int | None) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=2)


def opened(
    folder: Path,
    address: str | None = None,
    *,
    space: Space = SPACE,
    first: Sequence[dict[str, Any]] = (),
    sampler: Callable[[int | None], BaseSampler] = random_sampler,
    **settings: Any,
) -> Search:
    """The search, as one more process opens it."""
    chosen = SearchSettings(**{"n_trials": 8, "seed": 5, "heartbeat": 0.05, **settings})
    search = Search(StorageAddress.parse(address, folder), NAME, space, chosen, sampler, folder)
    search.begin(DEFINITION, first)
    return search


def claimed(search: Search) -> Claim:
    claim = search.claim()
    assert claim is not None
    return claim


def finish(search: Search) -> list[Claim]:
    """Claim and complete all trials that are left."""
    claims = []
    while (claim := search.claim()) is not None:
        search.tell(claim, DONE)
        claims.append(claim)
    return claims


def undisturbed(folder: Path, **given: Any) -> dict[int, dict[str, Any]]:
    """The parameters of each trial where nobody dies."""
    return {claim.number: dict(claim.params) for claim in finish(opened(folder / "undisturbed", **given))}


def by_number(trials: list[FrozenTrial]) -> dict[int, dict[str, Any]]:
    return {trial.number: trial.params for trial in trials}


def abandoned(study_of: Callable[[], Search]) -> None:
    """A process claims a trial and is killed."""

    def work() -> None:
        claimed(study_of())
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
