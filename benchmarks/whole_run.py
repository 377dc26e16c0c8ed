"""Our training as a contestant: `runs.run` with all that a run does, which waits before each of its turns."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console

import badger_sweeps
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.evaluation.measures import Measures
from badger_sweeps.runs import run as runs
from badger_sweeps.tracking.disabled import Disabled
from badger_sweeps.tracking.wandb import WandB
from badger_sweeps.training.population import Population
from benchmarks.contestants import Case, Turns
from benchmarks.workloads import SIZES, experiment


class Ended(Exception):
    """The race is over before the run is."""


def compete(case: Case, turns: Turns) -> None:
    """Train with history, plateaus, checkpoints and snapshots.

    Options: ``measures`` and ``wandb`` (both true unless given) say whether the standard measures are taken and whether
    W&B logs the run offline. Measures before the first iteration belong to the start; those after the last iteration of
    a turn, and the end of the run, to that turn.
    """
    setup = experiment(SIZES[case.size], case.members, case.iterations, engine=Native(threads=case.threads))
    measures = Measures() if case.options.get("measures", True) else Measures(every=None, **never(Measures()))
    tracking = WandB() if case.options.get("wandb", True) else Disabled()
    folder = case.folder / "run"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text("{}\n")  # by which `load` finds runs
    plan = runs.Plan(setup, measures, folder, "bench", (), {}, "escape_iteration", tracking)
    advance, end = Population.advance, None

    def advance_in_turns(population: Population, count: int = 1) -> Any:
        nonlocal end
        if end is None:
            turns.ready()
        if end is None or population.iteration >= end:
            iterations = turns.wait()
            if not iterations:
                raise Ended
            end = population.iteration + iterations
        return advance(population, min(count, end - population.iteration))

    Population.advance = advance_in_turns  # type: ignore[method-assign]
    try:
        with (case.folder / "terminal").open("w") as terminal:
            runs.run(plan, Console(file=terminal))
    except Ended:
        pass
    turns.over()
    history = badger_sweeps.load(folder).histories(["loss"])
    losses = history.pivot(index="iteration", columns="seed", values="loss").to_numpy(np.float32)
    turns.end(losses)


def never(measures: Measures) -> dict[str, Any]:
    """All measures, none of which is ever taken."""
    return {name: type(measure)(every=None) for name, measure in measures.by_name.items()}
