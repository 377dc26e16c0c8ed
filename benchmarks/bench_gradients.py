"""Loss and gradients of a population: both engines, torch.compile and JAX, on one core."""

from __future__ import annotations

import numpy as np
import pytest

from badger_sweeps.engines.base import by_dimension
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.engines.reference import Reference
from benchmarks.peers import compiled
from benchmarks.racing import Race, Sgemm
from benchmarks.workloads import SIZES, Workload

try:
    from benchmarks.peers import jax_peer
except ImportError:
    jax_peer = None


@pytest.mark.parametrize("members", [1, 8, 32])
@pytest.mark.parametrize("name", SIZES)
def test_gradients(name: str, members: int, one_core: None, benchmark, report) -> None:
    """Milliseconds for each member; how many times longer than native; native's share of sgemm's speed."""
    workload = Workload.of(SIZES[name], members)
    given, size, sgemm = workload.given, workload.size, Sgemm()
    contestants = {
        "native": lambda: Native(threads=1).pullback(*given).gradients[0],
        "reference": lambda: Reference().pullback(*given).gradients[0],
        "torch.compile": compiled.prepare(workload),
    }
    if jax_peer:
        contestants["JAX"] = jax_peer.prepare(workload)
    exact = contestants["reference"]().numpy()
    for who, call in contestants.items():
        found = np.asarray(call())[:, : exact.shape[1]]
        assert np.linalg.norm(found - exact) < 1e-4 * np.linalg.norm(exact), f"{who} computes something else"
    race = Race({"native": contestants.pop("native"), "sgemm": sgemm, **contestants})
    benchmark.pedantic(race.turn, rounds=race.rounds, iterations=1)
    report(
        "gradients, one core",
        size=name,
        members=members,
        **{f"{who}/ms": race.median(who) * 1e3 / members for who in ("native", *contestants)},
        **{f"{who} x": race.ratio(who, "native", better="higher") for who in contestants},
        **{"% of sgemm": race.ratio("sgemm", "native", better="higher") * (100 * size.flops * members / sgemm.flops)},
    )


@pytest.mark.parametrize("name", SIZES)
def test_forward_only(name: str, one_core: None, benchmark, report) -> None:
    """Rollouts that hand back the last states, as measures need them."""
    workload = Workload.of(SIZES[name], members=8)
    given, size, sgemm = workload.given, workload.size, Sgemm()
    engines = {"native": Native(threads=1), "reference": Reference()}
    race = Race(
        {
            **{
                who: lambda engine=engine: engine.rollout(*given, states=("h",), steps=(-1,))
                for who, engine in engines.items()
            },
            "gradients": lambda: Native(threads=1).pullback(*given),
            "sgemm": sgemm,
        }
    )
    benchmark.pedantic(race.turn, rounds=race.rounds, iterations=1)
    report(
        "forward only, one core",
        size=name,
        members=8,
        **{f"{who}/ms": race.median(who) * 1e3 / 8 for who in engines},
        **{"reference x": race.ratio("reference", "native", better="higher")},
        **{"gradients x": race.ratio("gradients", "native")},
        **{"% of sgemm": race.ratio("sgemm", "native", better="higher") * (100 * size.flops / 3 * 8 / sgemm.flops)},
    )


@pytest.mark.parametrize("members", [1, 8, 32])
@pytest.mark.parametrize("name", ["base", "small", "large"])
def test_parts(name: str, members: int, one_core: None, benchmark, report) -> None:
    """The Jacobian by dimension, D parts at once or one by one: how many times longer than one gradient."""
    workload = Workload.of(SIZES[name], members)
    given, engine = workload.given, Native(threads=1)
    parts = by_dimension(workload.games, members)
    race = Race(
        {
            "gradient": lambda: engine.pullback(*given),
            "parts": lambda: engine.pullback(*given, parts),
            "one by one": lambda: [engine.pullback(*given, parts[part : part + 1]) for part in range(len(parts))],
            "losses": lambda: engine.losses(*given),
        }
    )
    benchmark.pedantic(race.turn, rounds=race.rounds, iterations=1)
    report(
        "gradients by dimension, one core",
        size=name,
        members=members,
        parts=len(parts),
        **{f"{who} x": race.ratio(who, "gradient", better="lower") for who in ("parts", "one by one", "losses")},
    )
