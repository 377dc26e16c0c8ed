"""Records two random searches, for `bench_pruning`: `python -m benchmarks.recorded.record` (8 minutes on one core).

Kept are the losses alone, in half precision, which is far finer than their noise. A seed that diverged has no more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import DIVERGED, train
from badger_sweeps.training.population import Population

HERE = Path(__file__).parent
TRIALS, SEEDS, GAMES = 40, 8, 32
ITERATIONS = {2: 900, 4: 1500}
"""By dimensions of the guessing game: what most of a search's trials need to solve it, or to come close."""


def point(draws: np.random.Generator) -> dict[str, Any]:
    """One configuration of the search."""
    experts = int(draws.integers(5, 9))
    return {
        "architecture": str(draws.choice(["gru", "exponential", "tcnn"])),
        "hidden": int(draws.choice([8, 16])),
        "initial_noise": float(10 ** draws.uniform(-2, 0.5)),
        "experts": experts,
        "links": int(draws.integers(1, experts)),
        "lr": float(10 ** draws.uniform(-3.7, -1.5)),
    }


def experiment(dims: int, given: dict[str, Any]) -> Experiment:
    """What is trained at a point."""
    iterations = ITERATIONS[dims]
    cell = {"hidden": given["hidden"], "message": 4, "initial_noise": given["initial_noise"]}
    architectures = {"gru": lambda: GRU(**cell), "exponential": lambda: Exponential(**cell)}
    architectures["tcnn"] = lambda: TCNN(beta=2 / iterations, **cell)
    return Experiment(
        architecture=architectures[given["architecture"]](),
        topology=RandomLinks(experts=given["experts"], links=given["links"]),
        task=GuessingGame(dims=dims),
        optimizer=Adam(lr=given["lr"]),
        training=Training(iterations=iterations, batch_size=GAMES, inner_steps=10),
        seeds=tuple(range(SEEDS)),
        device="cpu",
    )


def losses(of: Experiment) -> NDArray[np.float16]:
    """Each seed's loss in every iteration, NaN from where it diverged; shape (iterations, seeds)."""
    curve = np.full((of.training.iterations, SEEDS), np.nan, dtype=np.float16)
    for record in train(Population(of)):
        loss, diverged = record.metrics["loss"], record.metrics[DIVERGED]
        curve[record.iteration, list(record.seeds)] = np.where(diverged > 0, np.nan, loss)
    return curve


def main() -> None:
    """Record both."""
    torch.set_num_threads(1)
    for dims in ITERATIONS:
        draws = np.random.default_rng(dims)
        points = [point(draws) for _ in range(TRIALS)]
        curves = np.stack([losses(experiment(dims, chosen)) for chosen in points])
        table = pa.table({f"seed_{seed}": curves[:, :, seed].ravel() for seed in range(SEEDS)})
        table = table.replace_schema_metadata({"dims": str(dims), "games": str(GAMES), "points": json.dumps(points)})
        path = HERE / f"guessing_game_{dims}.parquet"
        pq.write_table(table, path, compression="zstd", use_dictionary=False, use_byte_stream_split=True)
        print(path.name, path.stat().st_size, "bytes", flush=True)


if __name__ == "__main__":
    main()
