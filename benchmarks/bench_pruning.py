"""Rules for stopping trials, replayed on recorded searches: what each saves, and whether it stops the best trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hydra.utils import instantiate

from badger_sweeps.search.pruning import BoundPruning, CensoredBound, OptunaPruning
from badger_sweeps.search.racing import Race
from badger_sweeps.statistics.estimates import Estimate, mean, share
from benchmarks.figures import Figure
from benchmarks.replaying import TIMES, Replay, Search, pruned, raced
from hydra_plugins.badger_sweeper.config import PRUNERS

ORDERS = 100
TOP = 0.1
Rule = Callable[[Search, str, Sequence[int]], Replay]


def by_bound(quantile: float) -> Rule:
    return lambda search, objective, order: pruned(
        search, objective, BoundPruning(CensoredBound(quantile=quantile)), order
    )


def by_optuna(name: str) -> Rule:
    return lambda search, objective, order: pruned(
        search, objective, OptunaPruning(instantiate(PRUNERS[name], _convert_="all")), order
    )


def by_race(rule: CensoredBound | None) -> Rule:
    return lambda search, objective, order: raced(search, objective, Race(), rule, order)


RULES: dict[str, Rule] = {
    "ours, quantile 0": by_bound(0.0),
    "ours, quantile 0.25": by_bound(0.25),
    "Median": by_optuna("median"),
    "SuccessiveHalving": by_optuna("successive_halving"),
    "Hyperband": by_optuna("hyperband"),
    "Patient(Median)": by_optuna("patient"),
    "racing from 6 seeds": by_race(None),
    "racing, and quantile 0": by_race(CensoredBound()),
}


@pytest.mark.parametrize("objective", TIMES)
@pytest.mark.parametrize("dims", [2, 4])
def test_pruning(dims: int, objective: str, benchmark, report) -> None:
    """40 trials x 8 seeds, in 100 random orders, the same for all rules; see docs/performance.md for the columns."""
    search = Search.recorded(dims)
    values = search.per_seed(objective).mean(axis=1)
    best = values == values.min()
    top = values <= np.sort(values)[int(TOP * len(values)) - 1]
    orders = [np.random.default_rng(number).permutation(len(values)).tolist() for number in range(ORDERS)]
    whole = len(values) * search.budget * search.seeds

    def replay_all() -> dict[str, list[Replay]]:
        return {name: [rule(search, objective, order) for order in orders] for name, rule in RULES.items()}

    for name, replays in benchmark.pedantic(replay_all, rounds=1, iterations=1).items():
        killed = [bool(replay.stopped[best].all()) for replay in replays]
        regrets = [values[~replay.stopped].min() - values.min() for replay in replays]
        report(
            "trials stopped early",
            **{"search": search.name, "objective": objective, "budget": search.budget, "rule": name},
            **{
                "best": values.min(),
                "saved/%": percent(mean([1 - replay.trained.sum() / whole for replay in replays])),
                "stopped the best/% of orders": percent(share(sum(killed), ORDERS)),
                "stopped of the top tenth/%": percent(mean([replay.stopped[top].mean() for replay in replays])),
                "regret/iterations": figure(mean(regrets)),
            },
        )
        if name.startswith("ours"):
            assert not any(killed)
            assert max(regrets) == 0


def percent(estimate: Estimate) -> Figure:
    return figure(estimate) * 100


def figure(estimate: Estimate) -> Figure:
    """The mean over orders with its 95 % interval, which does not go below zero."""
    low = None if estimate.low is None else max(0.0, estimate.low)
    return Figure(float(estimate.value), low, estimate.high)
