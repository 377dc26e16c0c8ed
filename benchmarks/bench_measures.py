"""What measuring costs beside training, at all defaults: 16 experts, 4 dimensions, 8 seeds."""

from __future__ import annotations

import time
from collections import defaultdict

from badger_sweeps.evaluation.course import Course
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.evaluation.measuring import Measuring
from badger_sweeps.evaluation.moment import Moment
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

ITERATIONS = 2001
"""The hurst exponents need 513 losses, and every measure must be due as often as its cadence says."""


def test_share_of_measuring(monkeypatch, benchmark, report) -> None:
    """Over a whole run; the rollout of the evaluation games is counted with whatever asks for it first."""
    experiment = Experiment(device="cpu", training=Training(iterations=ITERATIONS))
    measures = Measures()
    spent: dict[str, float] = defaultdict(float)
    taken: dict[str, int] = defaultdict(int)

    def timed(owner: type, method: str, name: str) -> None:
        original = getattr(owner, method)

        def call(*arguments, **named):
            started = time.perf_counter()
            try:
                return original(*arguments, **named)
            finally:
                spent[name] += time.perf_counter() - started
                taken[name] += 1

        monkeypatch.setattr(owner, method, call)

    for measure in measures.of(experiment):
        timed(type(measure), "measure", type(measure).__name__)
    timed(Moment, "_play", "evaluation games, within the others")
    population = Population(experiment)
    measuring = Measuring(measures, population, Course(experiment))

    def run() -> float:
        started = time.perf_counter()
        for _ in measuring.added_to(train(population)):
            pass
        return time.perf_counter() - started

    seconds = benchmark.pedantic(run, rounds=1, iterations=1)
    training = seconds - measuring.seconds
    title = f"measuring at the defaults, {ITERATIONS} iterations, {population.engine_words}"
    for name, each in spent.items():
        report(
            title,
            measure=name,
            taken=taken[name],
            **{"ms each": each / taken[name] * 1e3, "of training": each / training},
        )
    report(title, measure="all", taken=taken["FixedLoss"], **{
        "ms each": measuring.seconds / taken["FixedLoss"] * 1e3, "of training": measuring.seconds / training,
    })  # fmt: skip
