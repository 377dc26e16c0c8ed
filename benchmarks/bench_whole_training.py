"""Whole trainings: ours with everything on; JAX, eager PyTorch and torch.compile, which train and do nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.conftest import ALL_CORES
from benchmarks.contestants import Case, TrainingRace, learn_alike, started
from benchmarks.figures import Figure

ITERATIONS, TURN = 1000, 100
"""Iterations of a whole training, and of a turn: ours measures, checkpoints and logs once or more within each."""
SLOW_TURN = {("base", 8): 10, ("base", 32): 4, ("small", 8): 50, ("small", 32): 20, ("lstm", 8): 10, ("lstm", 32): 4}
"""Iterations of a turn of eager PyTorch and torch.compile, for which a whole training would take up to half an hour."""
JAX_TURN = {("base", 32): 25, ("lstm", 32): 25}
"""Iterations of one call of JAX, where 100 would take a minute; in all other cases `TURN`."""
BUDGET = {1: 210.0, 2: 60.0}
"""About how many seconds the turns of a case may take, on one core and on two."""
OURS, PEERS = "benchmarks.whole_run", "benchmarks.peers"
NO_JAX = any(importlib.util.find_spec(name) is None for name in ("jax", "optax"))


def case(
    module: str, size: str, members: int, turn: int, cores: tuple[int, ...], folder: Path, **options: bool
) -> Case:
    """A contestant that computes with as many threads as it has cores."""
    return Case(module, size, members, ITERATIONS * turn // TURN, turn, cores, len(cores), folder, options)


@pytest.mark.parametrize("name", ["base", "small", "lstm"])
@pytest.mark.parametrize(
    ("cores", "members"), [(1, 8), (1, 32), (2, 8)], ids=["one core-8", "one core-32", "two cores-8"]
)
def test_whole_training(cores: int, name: str, members: int, tmp_path: Path, benchmark, report) -> None:
    """Milliseconds of an iteration, and how many times longer than ours; peers must reach the same losses."""
    used = tuple(sorted(ALL_CORES))[:cores]
    if len(used) < cores:
        pytest.skip("there is one core")
    slow, fast = SLOW_TURN[name, members], JAX_TURN.get((name, members), TURN)

    def made(folder: str, module: str, turn: int, **options: bool) -> Case:
        return case(module, name, members, turn, used, tmp_path / folder, **options)

    cases = {
        "ours": made("ours", OURS, TURN),
        "ours, no measures": made("bare", OURS, TURN, measures=False),
        "JAX": made("jax", f"{PEERS}.jax_training", fast),
        "eager": made("eager", f"{PEERS}.torch_training", slow),
        "torch.compile": made("compile", f"{PEERS}.torch_training", slow, compile=True),
    }
    if NO_JAX:
        del cases["JAX"]
    peers = [who for who in cases if not who.startswith("ours")]
    with started(cases) as contestants:
        race = TrainingRace(contestants, BUDGET[cores])
        benchmark.pedantic(race.run, rounds=1, iterations=1)
    about = {"size": name, "members": members, "cores": len(used)}
    report(
        "whole training",
        **about,
        **{"turns": float(race.turns)},
        **{f"{who}/ms": race.median(who) * 1e3 for who in cases},
        **{f"{who} x": race.ratio(who, "ours", better="higher") for who in peers},
        **{f"{who} x, no measures": race.ratio(who, "ours, no measures", better="higher") for who in peers},
        **{f"{who} x, sums": race.ratio_of_sums(who, "ours") for who in peers},
        **{"measures, % of training": race.excess("ours", "ours, no measures", better="lower")},
    )
    for who, contestant in contestants.items():
        report(
            "whole training: start and memory",
            contestant=who,
            **about,
            **{f"{what}/s": seconds for what, seconds in contestant.start.items()},
            **{"iterations": float(len(contestant.losses)), "MB": contestant.peak},
        )
    for who in peers:
        ours, theirs = contestants["ours"].losses, contestants[who].losses
        assert learn_alike(ours, theirs), f"{who} reaches other losses: {theirs[-1].mean()}; ours {ours[-1]}"


@pytest.mark.parametrize("name", ["base", "small"])
def test_two_threads(name: str, tmp_path: Path, benchmark, report) -> None:
    """The same training by one thread and by two, both of which may use all cores."""
    cores = tuple(sorted(ALL_CORES))
    if len(cores) < 2:
        pytest.skip("there is one core")
    cases = {
        str(threads): Case(OURS, name, 8, ITERATIONS, TURN, cores, threads, tmp_path / str(threads), {})
        for threads in (1, 2)
    }
    with started(cases) as contestants:
        race = TrainingRace(contestants, BUDGET[1])
        benchmark.pedantic(race.run, rounds=1, iterations=1)
    report(
        "two threads in training, 8 members",
        size=name,
        **{f"{threads}/ms": race.median(threads) * 1e3 for threads in cases},
        **{"times faster": race.ratio("1", "2", better="higher")},
    )


def test_large_population(tmp_path: Path, benchmark, report) -> None:
    """1024 members at small size beside 32, by one thread; without W&B, which would keep 1024 runs open."""
    core = (min(ALL_CORES),)

    def made(members: int, turns: int, measures: bool) -> Case:
        folder = tmp_path / f"{members} {measures}"
        return Case(OURS, "small", members, turns * TURN, TURN, core, 1, folder, {"measures": measures, "wandb": False})

    def measure() -> tuple[TrainingRace, float, float]:
        """The race without measures, its peak of memory, and that of a training which measures twice."""
        with started({"32": made(32, 10, False), "1024": made(1024, 10, False)}) as contestants:
            race = TrainingRace(contestants, BUDGET[2])
            race.run()
            without = contestants["1024"].peak
        with started({"1024": made(1024, 2, True)}) as contestants:
            only = contestants["1024"]
            only.turn()
            only.turn()
            only.close()
        return race, without, only.peak

    race, without, with_measures = benchmark.pedantic(measure, rounds=1, iterations=1)
    table = "a population of 1024 members at small size"
    report(
        table,
        measures="none",
        **{f"{members} members/ms each": race.median(members) * 1e3 / int(members) for members in ("32", "1024")},
        **{"a member beside one of 32": race.ratio("1024", "32", better="lower") / 32},
        **{"MB": Figure(without, better="lower")},
    )
    report(table, measures="standard", MB=Figure(with_measures, better="lower"))
