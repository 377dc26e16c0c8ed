"""``python -m benchmarks.bench_gpu``: all that is to be measured on a GPU, in eight minutes, as one table and as JSON.

Correctness comes first: gradients beside float64 on the CPU, the CUDA graph beside computing anew, host
synchronisations of the training loop. Then iterations per second from 1 to 1024 members, and the standard measures
beside the CPU's. Each step is guarded: it may fail, run into its time limit, or be left out when the time is up, and
the others are measured all the same. The JSON file is written after each step.

``--device cpu`` rehearses all steps without a GPU, where replaying computes anew and there is nothing to synchronise.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from badger_sweeps.core.weights import Weights
from badger_sweeps.engines import cuda_graph
from badger_sweeps.engines.reference import Reference, _pullback
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.evaluation.games import EvaluationGames
from badger_sweeps.evaluation.loss_history import LossHistory
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.outer_objective import OuterObjective
from badger_sweeps.rollout import Games
from badger_sweeps.training.loop import Records, train, train_in_chunks
from badger_sweeps.training.population import Population
from benchmarks.figures import Figure, Row
from benchmarks.workloads import SIZES, Size, Workload, experiment

BUDGET = 480.0
"""Seconds for everything."""
STEP_LIMIT = 90.0
"""Seconds for one step."""
POPULATIONS = (1024, 1, 256, 64, 16, 4)
"""Members, in the order of measuring: the target is that of the largest population."""
WARM_UP, BLOCK, MOST_BLOCKS = 5, 10, 9
"""Iterations before those that are timed; iterations that are timed together; blocks."""
ENOUGH = 20.0
"""Seconds after which no further block of a population is timed."""
GRADIENT_BOUND = 5e-6
"""Relative distance from float64 that gradients of a rollout may have, as on the CPU."""
MEASURE_BOUND = 0.01
"""Distance from the CPU's value that a measure may have, relative to the largest value of its column."""
ITERATIONS_TABLE, CHECKS_TABLE = "iterations on a GPU, base", "checks on a GPU"


@dataclass(frozen=True)
class Device:
    """A device and what is asked of it; on the CPU all but the memory has no meaning and does nothing.

    Attributes:
        kind: ``cuda`` or ``cpu``.
    """

    kind: str

    @property
    def name(self) -> str:
        """The device's own name."""
        return torch.cuda.get_device_name() if self.kind == "cuda" else platform.processor() or "CPU"

    def synchronize(self) -> None:
        """Wait until everything is computed."""
        if self.kind == "cuda":
            torch.cuda.synchronize()

    def forget(self) -> None:
        """Free what recorded graphs and PyTorch's cache hold, and count the peak of memory from here."""
        cuda_graph._recorded.clear()
        if self.kind == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> float:
        """The peak of the device's allocated memory in MB; 0 on the CPU."""
        return torch.cuda.max_memory_allocated() / 2**20 if self.kind == "cuda" else 0.0

    @property
    def recorder(self) -> cuda_graph.GraphRecorder:
        """What records a CUDA graph; on the CPU replaying computes anew."""
        return cuda_graph.record_cuda_graph if self.kind == "cuda" else _computing_anew

    @contextmanager
    def synchronisations(self) -> Iterator[list[str]]:
        """The list of host synchronisations within this context, which PyTorch warns of."""
        found: list[str] = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if self.kind == "cuda":
                torch.cuda.set_sync_debug_mode("warn")
            try:
                yield found
            finally:
                if self.kind == "cuda":
                    torch.cuda.set_sync_debug_mode("default")
        found += [str(warning.message) for warning in caught if "synchroniz" in str(warning.message)]

    def moved(
        self, objective: OuterObjective, parameters: Weights, games: Games
    ) -> tuple[OuterObjective, Weights, Games]:
        """What an engine is given, on this device."""
        state = {name: tensor.to(self.kind) for name, tensor in games.state.items()}
        return (
            replace(objective, adjacency=objective.adjacency.to(self.kind)),
            Weights(parameters.flat.to(self.kind), parameters.shapes),
            Games(games.targets.to(self.kind), games.inputs.to(self.kind), state),
        )


def _computing_anew(work: Callable[[], None]) -> Callable[[], None]:
    work()
    return work


@dataclass(frozen=True)
class Step:
    """A part of the script that may fail without the others.

    Attributes:
        name: for the table of what went wrong.
        rows: gives what was measured.
    """

    name: str
    rows: Callable[[], list[Row]]


@dataclass
class Outcome:
    """What all steps gave.

    Attributes:
        rows: what was measured.
        failures: the name of each step that failed or ran into its time limit, with the error.
        left_out: the names of the steps for which no time was left.
        seconds: of each step that began, by name.
    """

    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def out_of_bounds(self) -> list[str]:
        """The checks whose value is above its bound, or not a number, in words."""
        checks = [row for row in self.rows if "bound" in row.figures]
        return [
            f"{row}: {row.figures['value']}, bound {row.figures['bound']}"
            for row in checks
            if not row.figures["value"].value <= row.figures["bound"].value
        ]


class OutOfTime(BaseException):
    """A step ran into its time limit. No `Exception`, so that nothing within the step takes it for a failure."""


def carry_out(
    steps: Sequence[Step],
    budget: float,
    save: Callable[[Outcome], None],
    clock: Callable[[], float] = time.monotonic,
    limit: float = STEP_LIMIT,
) -> Outcome:
    """Carry out all steps, each within `limit` seconds, until `budget` seconds are over; `save` follows each step."""
    started, outcome = clock(), Outcome()
    for step in steps:
        left = budget - (clock() - started)
        if left <= 0:
            outcome.left_out.append(step.name)
            continue
        began = clock()
        try:
            with _at_most(min(limit, left)):
                outcome.rows += step.rows()
        except OutOfTime:
            outcome.failures[step.name] = f"not finished after {min(limit, left):.0f} s"
        except Exception as error:
            outcome.failures[step.name] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        outcome.seconds[step.name] = clock() - began
        save(outcome)
    save(outcome)
    return outcome


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the main thread after so many seconds, as soon as Python regains control."""

    def over(signum: int, frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check(name: str, detail: str, value: float | Figure, bound: float | None = None) -> Row:
    """A row of the table of checks; without a bound the value is only of interest."""
    cells = {"check": name, "detail": detail, "value": value}
    return Row.of(CHECKS_TABLE, cells if bound is None else {**cells, "bound": float(bound)})


def distance(found: Tensor, exact: Tensor) -> float:
    """Relative distance in the Euclidean norm over everything."""
    return float((found.cpu().double() - exact).norm() / exact.norm())


def gradients(device: Device, name: str, size: Size) -> list[Row]:
    """Gradients of the training batch on the device, and in float32 on the CPU, beside float64 on the CPU."""
    workload = Workload.of(size, members=4)
    objective, weights, games = workload.given
    doubled = Weights(weights.flat.double(), weights.shapes)
    exact = _pullback(objective.to(torch.float64), doubled, games.to(torch.float64), None).gradients
    here = _pullback(objective, weights, games, None).gradients
    there = Reference().pullback(*device.moved(objective, weights, games)).gradients
    return [
        check("gradients beside float64", name, distance(there, exact), GRADIENT_BOUND),
        check("gradients beside float64, CPU's float32", name, distance(here, exact), GRADIENT_BOUND),
    ]


def graph(device: Device, size: Size) -> list[Row]:
    """Three iterations of other weights and games: one recording, whose replays are what computing anew would be."""
    recordings, apart = 0, 0.0

    def record(work: Callable[[], None]) -> Callable[[], object]:
        nonlocal recordings
        recordings += 1
        return device.recorder(work)

    device.forget()
    population = Population(experiment(size, members=4, iterations=3))
    for _ in range(3):
        given = device.moved(population.objective, population.parameters, population.draw_games())
        replayed = cuda_graph.graphed_pullback(_pullback, *given, None, record=record).gradients
        apart = max(apart, distance(replayed, _pullback(*given, None).gradients.cpu().double()))
        population.advance()
    device.forget()
    return [
        check("CUDA graph: recordings in three iterations", "base", float(recordings), 1),
        check("CUDA graph beside computing anew", "base", apart, 1e-6),
    ]


def synchronisations(device: Device, size: Size, members: int) -> list[Row]:
    """Host synchronisations of an iteration of the training loop: those that PyTorch warns of, and those profiled."""
    device.forget()
    population = Population(experiment(size, members, iterations=WARM_UP + 2 * BLOCK, device=device.kind))
    records = train_in_chunks(population, lambda iteration: iteration + BLOCK)
    train_until(population, records, WARM_UP)
    begun = population.iteration
    with device.synchronisations() as found:
        train_until(population, records, begun + BLOCK)
    warned = population.iteration - begun
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.kind == "cuda" else [])]
    begun = population.iteration
    with profile(activities=activities) as profiled:
        train_until(population, records, begun + BLOCK)
        device.synchronize()
    done = max(1, population.iteration - begun)
    names = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaGraphLaunch")
    counts = {event.key: event.count for event in profiled.key_averages() if event.key in names}
    detail = f"base, {members} members"
    return [
        check("host synchronisations of an iteration, warned of", detail, len(found) / max(1, warned)),
        *(check(f"{name}, calls of an iteration, profiled", detail, counts.get(name, 0) / done) for name in names),
        check("CUDA graphs kept after training", detail, float(len(cuda_graph._recorded))),
    ]


def train_until(population: Population, records: Iterator[object], iteration: int) -> None:
    """Train until at least so many iterations are done, however many each record has."""
    while population.iteration < iteration and not population.finished:
        next(records)


def iterations(device: Device, size: Size, members: int) -> list[Row]:
    """Iterations of the training loop in blocks, each of which ends when the device has computed it."""
    device.forget()
    most = WARM_UP + (MOST_BLOCKS + 1) * BLOCK
    population = Population(experiment(size, members, most, device=device.kind))
    records = train_in_chunks(population, lambda iteration: iteration + BLOCK)
    train_until(population, records, WARM_UP)
    device.synchronize()
    seconds: list[float] = []
    began = time.perf_counter()
    while len(seconds) < MOST_BLOCKS and (len(seconds) < 3 or time.perf_counter() - began < ENOUGH):
        before, started = population.iteration, time.perf_counter()
        train_until(population, records, before + BLOCK)
        device.synchronize()
        seconds.append((time.perf_counter() - started) / (population.iteration - before))
    drawing = []
    for _ in range(5):
        population._drawn_ahead = range(0)
        started = time.perf_counter()
        dict(population.draw_games().state)
        device.synchronize()
        drawing.append(time.perf_counter() - started)
    each = Figure.of(seconds, better="lower")
    row = Row.of(
        ITERATIONS_TABLE,
        {
            "members": members,
            "iterations/s": Figure.of([1 / one for one in seconds], better="higher"),
            "ms": each * 1e3,
            "ms a member": each * (1e3 / members),
            "of these drawing games, ms": Figure.of(drawing) * 1e3,
            "peak MB": Figure(device.peak(), better="lower"),
        },
    )
    device.forget()
    return [row]


@dataclass
class MeasuredPopulations:
    """The same weights, games and losses on the CPU and on the device, for measures on both."""

    on_cpu: EvaluationContext
    on_device: EvaluationContext

    @classmethod
    def prepared(cls, device: Device, size: Size, members: int, games: int) -> MeasuredPopulations:
        """A population after 20 iterations on the CPU; its evaluation games are the same on all devices."""
        settings = Measures(games=games)
        trained = Population(experiment(size, members, iterations=20))
        losses = LossHistory(trained.experiment)
        for record in train(trained):
            losses.add(Records.of(record))
        contexts = []
        for kind in ("cpu", device.kind):
            population = Population(experiment(size, members, iterations=20, device=kind, engine=Reference()))
            population.parameters.flat.copy_(trained.parameters.flat)
            population.iteration = trained.iteration
            evaluation = EvaluationGames(population.experiment, population.engine, games, settings.noise)
            contexts.append(EvaluationContext.of(population, evaluation, losses))
        return cls(*contexts)


def measures(device: Device, size: Size, members: int = 8, games: int = 1000) -> list[Step]:
    """A step for the rollout of the evaluation games, and one for each standard measure."""
    kept: list[MeasuredPopulations] = []

    def both() -> MeasuredPopulations:
        if not kept:
            kept.append(MeasuredPopulations.prepared(device, size, members, games))
        return kept[0]

    def rollout() -> list[Row]:
        pair = both()
        began = time.perf_counter()
        found = pair.on_device.h
        device.synchronize()
        seconds = time.perf_counter() - began
        exact = pair.on_cpu.h.double()
        detail = f"{members} members, {games} games"
        return [
            check("rollout of evaluation games: states beside the CPU's", detail, distance(found, exact), 1e-4),
            check("rollout of evaluation games: seconds", detail, seconds),
        ]

    def of(name: str) -> list[Row]:
        pair, measure = both(), getattr(Measures(games=games), name)
        began = time.perf_counter()
        found = {column: values.detach().cpu().double() for column, values in measure.measure(pair.on_device).items()}
        device.synchronize()
        seconds = time.perf_counter() - began
        exact = {column: values.detach().double() for column, values in measure.measure(pair.on_cpu).items()}
        if found.keys() != exact.keys():
            raise RuntimeError(f"other columns than on the CPU: {sorted(found.keys() ^ exact.keys())}")
        apart = max((_apart(found[column], exact[column]) for column in exact), default=0.0)
        return [
            check("measure beside the CPU's", name, apart, MEASURE_BOUND),
            check("measure: seconds", name, seconds),
        ]

    setup, settings = experiment(size, members), Measures(games=games).by_name.items()
    names = [name for name, measure in settings if measure.every is not None and measure.columns(setup)]
    return [
        Step("rollout of evaluation games", rollout),
        *(Step(f"measure {name}", lambda name=name: of(name)) for name in names),
    ]


def _apart(found: Tensor, exact: Tensor) -> float:
    """The largest difference relative to the largest value; what is not a number must be so in both."""
    if not torch.equal(found.isnan(), exact.isnan()):
        return float("inf")
    largest = exact.nan_to_num().abs().max()
    return (
        float((found - exact).nan_to_num().abs().max() / largest)
        if largest > 0
        else float(found.nan_to_num().abs().max())
    )


def all_steps(device: Device, sizes: dict[str, Size] = SIZES, populations: Sequence[int] = POPULATIONS) -> list[Step]:
    """The steps, the most important ones first."""
    base = sizes["base"]
    of_populations = [
        Step(f"{members} members", lambda members=members: iterations(device, base, members)) for members in populations
    ]
    return [
        *(Step(f"gradients, {name}", lambda name=name: gradients(device, name, sizes[name])) for name in sizes),
        Step("CUDA graph", lambda: graph(device, base)),
        Step("synchronisations", lambda: synchronisations(device, base, members=8)),
        *of_populations,
        *measures(device, base),
    ]


def stored(outcome: Outcome, device: Device) -> dict[str, Any]:
    """The outcome as JSON has it."""
    return {
        "device": device.name,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "rows": [row.stored() for row in outcome.rows],
        "failures": outcome.failures,
        "left out": outcome.left_out,
        "out of bounds": outcome.out_of_bounds,
        "seconds": {name: round(seconds, 2) for name, seconds in outcome.seconds.items()},
    }


def shown(outcome: Outcome) -> str:
    """One table of everything, and what went wrong."""
    lines = [{**row.labels, **{name: str(figure) for name, figure in row.figures.items()}} for row in outcome.rows]
    parts = [pd.DataFrame(lines).to_string(index=False, na_rep="") if lines else "nothing was measured"]
    parts += [f"above its bound: {words}" for words in outcome.out_of_bounds]
    parts += [f"failed: {name}: {error}" for name, error in outcome.failures.items()]
    parts += [f"left out, no time: {', '.join(outcome.left_out)}"] if outcome.left_out else []
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the JSON file; exit status 1 if a step failed or a check is out of its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu rehearses without a GPU")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds for everything")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="the JSON file")
    given = parser.parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        print("there is no GPU; `--device cpu` rehearses without one", file=sys.stderr)
        return 2
    device = Device(given.device)

    def save(outcome: Outcome) -> None:
        given.out.write_text(json.dumps(stored(outcome, device), indent=1) + "\n")
        name = next(reversed(outcome.seconds), "")
        print(f"{sum(outcome.seconds.values()):6.1f} s  {name}", file=sys.stderr, flush=True)

    outcome = carry_out(all_steps(device), given.budget, save)
    print(shown(outcome))
    return 1 if outcome.failures or outcome.out_of_bounds else 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu(benchmark, report) -> None:
    """What went wrong is a row of its own: pytest-benchmark keeps no rows of a benchmark that fails."""
    device = Device("cuda")
    outcome = benchmark.pedantic(lambda: carry_out(all_steps(device), BUDGET, lambda _: None), rounds=1, iterations=1)
    for row in outcome.rows:
        report(row.table, **row.labels, **row.figures)
    wrong = [*outcome.failures, *outcome.left_out, *outcome.out_of_bounds]
    report(
        CHECKS_TABLE,
        check="steps that went wrong",
        detail="; ".join(wrong) or "none",
        value=float(len(wrong)),
        bound=0.0,
    )
    print(shown(outcome))


if __name__ == "__main__":
    sys.exit(main())
