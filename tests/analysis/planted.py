"""Made-up runs for which a study's claim is true, and others for which it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from badger_sweeps.reporting.inference.evidence import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Verdict, judge_findings
from badger_sweeps.reporting.plotting import plotly_backend
from badger_sweeps.reporting.plotting.style import to_json
from badger_sweeps.reporting.reading.arms import Arm, Arms
from badger_sweeps.reporting.studies.claims import claim_of
from badger_sweeps.reporting.studies.evaluation import verdict_with_remark
from badger_sweeps.topologies.connectivity import Connectivity
from tests.analysis.made_arms import BUDGET, SEEDS, arm, constant, one_by_one, staircase

Made = Callable[[], Arms]
LATE = [0, BUDGET]
WEIGHTS = 2956
"""Of 32 hidden units and 8 messages, but for those of the numbers that are guessed."""


def judge(name: str, arms: Any) -> Verdict:
    """What the study makes of these arms; its figure is drawn as well."""
    module = claim_of(name)
    assert module is not None
    info = module.compute(arms)
    to_json(plotly_backend.draw(module.draw(info)))
    return verdict_with_remark(module, judge_findings(module.findings(info)), quick=False)


def named(*made: Arm) -> Arms:
    return {arm.name: arm for arm in made}


def escapes(first: float, name: str, measured: Any = None, **config: Any) -> Arm:
    return arm(name, staircase(one_by_one(first, spread=2)), measured, **config)


def _readout(after: float) -> Arms:
    befores, afters = ("mean", "mean_alike"), ("positive", "signed", "positive_alike", "signed_alike")
    return named(*(escapes(500, name) for name in befores), *(escapes(after, name) for name in afters))


def update(after: float, growth: float) -> Arms:
    steps = np.arange(10)
    sizes = np.ones((SEEDS, 2, 10)) * growth**steps
    inner = {"inner/state_size": (LATE, sizes), "gate/carried": (LATE, np.full((SEEDS, 2, 10), 0.7))}
    inner["gate/growing"] = (LATE, constant(0.1, count=2))
    ab = {"architecture.a": 0.5, "architecture.b": 0.7}
    gated = (escapes(500, name, inner) for name in ("gated", "gated_alike"))
    others = (escapes(after, name, inner, **ab) for name in ("exponential", "exponential_alike"))
    return named(*gated, *others, escapes(400, "contracting", inner))


def guessing(few: float, alike: float, together: bool) -> Arms:
    dims = 6
    times = one_by_one(300, 250, dims)
    losses = staircase(times)
    if together:  # mixtures: every number's loss falls a little at each step
        losses = np.repeat(losses.mean(axis=2, keepdims=True), dims, axis=2)
    moments = np.arange(0, BUDGET, 50)
    solved = (moments[None, :, None] >= times[:, None, :]).sum(axis=2)
    measured = {
        "guess/power": (moments.tolist(), solved / dims + 0.001),
        "guess/alike": (moments.tolist(), constant(alike, count=len(moments))),
    }
    three = arm("few", staircase(one_by_one(few / 3, few / 3, 3), noise=0.001))
    return named(arm("many", losses, measured), three)


def _information(change: float, rest: float) -> Arms:
    moments = np.arange(0, BUDGET, 50)
    late = (moments >= 1300).astype(float)
    early = np.clip((moments - 200) / 600, 0, 1)
    mi = 5 + rest * early + change * late + constant(0, 0.05, len(moments))
    measured = {name: (moments.tolist(), mi) for name in ("mi/mean", "mi_given_target/mean", "mi/00__01")}
    return named(escapes(200, "linked", measured), escapes(200, "unlinked", measured))


def binding(raw: float, given: float) -> Arms:
    measured = {
        "binding/outer": (LATE, np.stack([np.full(SEEDS, 8.0), 8 + raw + constant(0)[:, 0]], axis=1)),
        "binding/outer_given_target": (LATE, np.stack([np.full(SEEDS, 2.0), 2 + given + constant(0)[:, 0]], axis=1)),
    }
    return named(escapes(200, "linked", measured), escapes(200, "unlinked", measured))


def _inner(raw: float, given: float) -> Arms:
    along = np.linspace(0, 1, 6)
    measured = {
        name: (LATE, 1 + slope * along + constant(0)[:, :, None] + np.zeros((1, 2, 6)))
        for name, slope in (("binding/inner", raw), ("binding/inner_given_target", given), ("inner/loss", -1.0))
    }
    return named(escapes(200, "linked", measured), escapes(200, "unlinked", measured))


def _communication(cut: float, solvable: bool) -> Arms:
    levels = {"message_ablation/loss": cut, "evaluation/loss": 0.1}
    measured = {name: (LATE, constant(level, count=2)) for name, level in levels.items()}
    alone = one_by_one(400) if solvable else np.full((SEEDS, 4), np.inf)
    measured["message_ablation/loss"] = (
        LATE,
        measured["message_ablation/loss"][1] * [1.0, 1.01],
    )  # not the same in all seeds
    return named(escapes(200, "linked", measured), arm("unlinked", staircase(alone)))


def l1(
    escape: tuple[float, float], solved: tuple[float, float], end: tuple[float, float], objective: float = 1.0
) -> Arms:
    """Times of the escape and of the solution, and final errors by either loss, each with squared and with absolute
    errors in both choices. `objective` is the share of the differences that the outer objective causes."""
    moments = np.arange(0, BUDGET, 20)
    made = {}
    for name, share in (("mse", 0.0), ("minimised_l1", objective), ("told_l1", 1 - objective), ("l1", 1.0)):
        left, done, level = (squares + share * (absolute - squares) for squares, absolute in (escape, solved, end))
        spread = 10 * np.arange(SEEDS)[:, None]
        error = np.where(
            moments < left + spread, 1.0, np.where(moments < done + spread, 0.5, level + constant(0, 1e-4))
        )
        measured = {column: (moments.tolist(), error) for column in ("guess/mse", "guess/l1")}
        made[name] = arm(name, staircase(one_by_one(left, 50)), measured)
    return made


def _series(memory: bool) -> Arms:
    """Plateaus of 800 iterations: with noise, or with a slow swing, about their level."""
    losses = staircase(one_by_one(900, 900, 2, 5), 2000, noise=0.1)
    if memory:
        walk = np.cumsum(np.random.default_rng(3).standard_normal((SEEDS, 2000, 1)), axis=1)
        losses = staircase(one_by_one(900, 900, 2, 5), 2000, noise=0.0) + 0.002 * walk
    fixed = {"evaluation/loss": (range(2000), losses.mean(axis=2))}
    return named(arm("badger", losses), arm("many", losses), arm("fixed_games", losses, fixed))


def _exponents(loss: float, replicas: float) -> Arms:
    """The loss itself is a noise, of which surrogates have about 0.5."""
    spread = constant(0, 0.01)
    measured = {
        "lyapunov/loss": ([BUDGET], loss + spread), "lyapunov/loss_surrogate_mean": ([BUDGET], 0.5 - 2 * spread),
        "lyapunov/replicas": ([BUDGET], replicas + spread),
    }  # fmt: skip
    return {"few": arm("few", staircase(one_by_one(100, 100, 3)), measured)}


def _rays(together: bool) -> Arms:
    times = one_by_one(300, 600, 2)
    losses = staircase(times, noise=0.01)
    return {"badger": arm("badger", np.repeat(losses.mean(axis=2, keepdims=True), 2, axis=2) if together else losses)}


def _gradients(cosine: float, ratio: float) -> Arms:
    moments = list(range(0, BUDGET, 50))
    measured = {
        "gradient/cosine_mean": (moments, constant(cosine, count=len(moments))),
        "gradient/cancellation": (moments, constant(ratio, 0.001, len(moments))),
    }
    return {"badger": escapes(400, "badger", measured)}


def saddles(growing: bool, index: float, solved: float = -0.001, step: float = 30) -> Arms:
    """Index at 4 numbers of dimensions; smallest eigenvalue on the plateau -0.1, and where the task is solved."""
    made = {}
    for place, dims in enumerate((2, 3, 4, 6)):
        negative = np.maximum(0, index + step * place * growing) + np.zeros((SEEDS, 2))
        least = np.stack([np.full(SEEDS, -0.1), solved + constant(0, 1e-4)[:, 0]], axis=1)
        value = {
            "hessian/index": ([150, BUDGET], negative),
            "hessian/smallest": ([150, BUDGET], np.repeat(least[:, :, None], 4, axis=2)),
            "hessian/largest": ([150, BUDGET], np.ones((SEEDS, 2))),
            "hessian/weights": ([150, BUDGET], np.full((SEEDS, 2), WEIGHTS + 33 * dims)),
        }
        count = dims if growing else 2
        made[f"dims_{dims}"] = arm(f"dims_{dims}", staircase(one_by_one(300, 250, count)), value, **{"task.dims": dims})
    return made


def _order(kind: str) -> tuple[list[int], np.ndarray]:
    """Coherent ratios of 5 frequencies that are solved low first, at random, or all at once."""
    moments = np.arange(0, BUDGET, 50)
    rng = np.random.default_rng(5)
    if kind == "once":
        when = np.full((SEEDS, 5), 500.0)
    elif kind == "low":
        when = np.tile(200.0 + 200 * np.arange(5), (SEEDS, 1))
    else:  # Latin squares: every order as often as its opposite
        when = 200.0 + 200 * np.array([rng.permutation(5) if seed % 2 else np.zeros(5) for seed in range(SEEDS)])
        when[0::2] = 1200 - when[1::2]
    done = (moments[None, :, None] >= when[:, None, :]).astype(float)
    return moments.tolist(), done * (1 - 0.01 * np.arange(5))  # lower frequencies end a little nearer to 1


def frequencies(kind: str, name: str, more: Any = None, final: float = 0.0, **config: Any) -> Arm:
    moments, ratios = _order(kind)
    measured = {f"frequency/coherent/{k + 1:02d}": (moments, ratios[:, :, k]) for k in range(5)}
    losses = staircase(one_by_one(200, 200, 4)) if final < 0.5 else staircase(np.full((SEEDS, 4), np.inf))
    return arm(name, losses, {**measured, **(more or {})}, **config)


def inner_loop(last: float, still_follows_loss: bool = True, odd: float = 0.2) -> dict[str, Any]:
    moments = [0, 500, 1000, 1500, BUDGET]
    still = np.array([2, 4, 6, 8, 10] if still_follows_loss else [10, 8, 6, 4, 2])
    change = np.where(np.arange(20)[None, :] < 20 - still[:, None], 0.5, 0.001)
    change[:, -1] = last
    falling = np.array([1.0, 0.8, 0.5, 0.2, 0.1])
    made = {
        "inner/change": (moments, np.tile(change, (SEEDS, 1, 1)) * (1 + constant(0)[:, :, None])),
        "inner/loss": (moments, np.tile(falling[None, :, None], (SEEDS, 1, 20))),
    }
    for k in range(5):
        off = odd if k % 2 == 0 else 0.1
        made[f"inner/amplitude/{k + 1:02d}"] = (moments, 1 + off + constant(0)[:, :, None] + np.zeros((1, 5, 20)))
    return made


def _supervised(kind: str) -> Arms:
    return named(frequencies(kind, "common"), frequencies(kind, "independent"))


def _lstm(kind: str, last: float) -> Arms:
    return named(frequencies(kind, "common", inner_loop(last)), frequencies(kind, "independent"))


def _quantized(kind: str, **inner: Any) -> Arms:
    return named(frequencies(kind, "common", inner_loop(0.001, **inner)), frequencies(kind, "independent"))


def _badger(kind: str, forty_one: float) -> Arms:
    return named(
        *(frequencies(kind, f"eleven_{phases}") for phases in ("common", "independent")),
        *(frequencies(kind, f"forty_one_{phases}", final=forty_one) for phases in ("common", "independent")),
    )


def _adding(concavity: float, many: float, sixteen: float = 400) -> Arms:
    made = {}
    for count, first in ((2, 900.0), (4, 600.0), (8, 500.0), (16, sixteen), (32, many)):
        measured = {
            "experts/shared": (LATE, np.ones((SEEDS, 2, count - 1))),
            "experts/task": (LATE, np.ones((SEEDS, 2, count))),
        }
        for name in ("experts/shared_concavity", "experts/task_concavity", "binding/o_information"):
            measured[name] = (LATE, constant(concavity, count=2))
        times = one_by_one(first, 100)
        made[f"experts_{count}"] = arm(f"experts_{count}", staircase(times), measured, **{"topology.experts": count})
    return made


def _topology(effect: float) -> Arms:
    """Random graphs agree slowly, and what a graph's rate is worth in iterations is `effect`."""
    made = {}
    for name, rate, strong in (
        ("random", 0.0, False), ("strongly_connected", 0.6, True), ("ring", 0.15, True), ("small_world", 0.4, True)
    ):  # fmt: skip
        times = one_by_one(600 - effect * rate, 200)
        graphs = [Connectivity(16, 32, strong, rate + 0.001 * seed, None, None) for seed in range(SEEDS)]
        made[name] = arm(name, staircase(times), None, graphs)
    return made


def _chaos(annealed: float, plain: float) -> Arms:
    def one(name: str, level: float, exponent: float) -> Arm:
        losses = staircase(one_by_one(100, 100)) + level + constant(0, 0.001)[:, :, None]
        return arm(
            name, losses, {"lyapunov/inner": (LATE, np.stack([constant(exponent)[:, 0], constant(-1)[:, 0]], 1))}
        )

    return named(
        one("gated", 0, -1), one("annealed", annealed, 0.3), one("no_feedback", plain, -1), one("constant", 0.5, 1)
    )


def _modes(found: float, power: float, seeds: int = SEEDS) -> Arms:
    """In so many seeds; in the others none."""
    values = {
        "oscillating": found, "surrogates_most": 1.0, "power": power, "none": float(found <= 1), "r2": 0.9,
        "persistence_r2": 0.8,
    }  # fmt: skip
    measured = {f"modes/{name}": (LATE, np.full((SEEDS, 2), value)) for name, value in values.items()}
    measured["modes/oscillating"][1][seeds:] = 0
    return {"badger": escapes(200, "badger", measured)}


CASES: dict[str, list[tuple[str, Made]]] = {
    "weighted_readout": [
        (REPRODUCED, lambda: _readout(8)), (NOT_REPRODUCED, lambda: _readout(900)),
        (UNDECIDED, lambda: {name: escapes(8, name) for name in _readout(8)}),
    ],
    "exponential_update": [
        (REPRODUCED, lambda: update(8, 0.99)), (NOT_REPRODUCED, lambda: update(8, 1.2)),
        (NOT_REPRODUCED, lambda: update(900, 0.99)),
    ],
    "guessing_game": [
        (REPRODUCED, lambda: guessing(1500, 0.95, together=False)),
        (NOT_REPRODUCED, lambda: guessing(1500, 0.95, together=True)),
        (NOT_REPRODUCED, lambda: guessing(1500, 0.2, together=False)),
        (NOT_REPRODUCED, lambda: guessing(300, 0.95, together=False)),
    ],
    "mutual_information": [
        (REPRODUCED, lambda: _information(-2, 0.1)), (NOT_REPRODUCED, lambda: _information(2, 0.1)),
        (NOT_REPRODUCED, lambda: _information(-2, 6)),
    ],
    "binding_outer": [
        (REPRODUCED, lambda: binding(8, 2)), (NOT_REPRODUCED, lambda: binding(8, -1)),
        (NOT_REPRODUCED, lambda: binding(-8, 2)), (UNDECIDED, lambda: binding(8, 0)),
    ],
    "binding_inner": [(REPRODUCED, lambda: _inner(2, 1)), (NOT_REPRODUCED, lambda: _inner(2, -1))],
    "communication": [
        (REPRODUCED, lambda: _communication(0.6, True)), (NOT_REPRODUCED, lambda: _communication(0.6, False)),
        (NOT_REPRODUCED, lambda: _communication(0.05, True)),
    ],
    "l1_loss": [
        (REPRODUCED, lambda: l1((200, 400), (900, 900), (0.01, 0.01))),
        (NOT_REPRODUCED, lambda: l1((200, 400), (900, 600), (0.01, 0.01))),
        (NOT_REPRODUCED, lambda: l1((200, 400), (900, 900), (0.01, 0.005))),
        (UNDECIDED, lambda: l1((200, 200), (900, 900), (0.01, 0.01))),
        (UNDECIDED, lambda: l1((200, 400), (9000, 9000), (0.01, 0.01))),
    ],
    "hurst": [(REPRODUCED, lambda: _series(False)), (NOT_REPRODUCED, lambda: _series(True))],
    "lyapunov": [
        (REPRODUCED, lambda: _exponents(0.9, 0.05)), (NOT_REPRODUCED, lambda: _exponents(0.9, -0.05)),
        (NOT_REPRODUCED, lambda: _exponents(0.3, 0.05)), (NOT_REPRODUCED, lambda: _exponents(-0.1, 0.05)),
    ],
    "ray_interference": [(REPRODUCED, lambda: _rays(False)), (NOT_REPRODUCED, lambda: _rays(True))],
    "conflicting_gradients": [
        (REPRODUCED, lambda: _gradients(-0.3, 0.1)), (NOT_REPRODUCED, lambda: _gradients(0.3, 0.1)),
        (NOT_REPRODUCED, lambda: _gradients(-0.3, 0.5)),
    ],
    "saddles": [
        (REPRODUCED, lambda: saddles(True, 1)), (NOT_REPRODUCED, lambda: saddles(True, -200)),
        (NOT_REPRODUCED, lambda: saddles(True, 1, solved=-0.5)),
    ],
    "frequency_supervised": [(REPRODUCED, lambda: _supervised("low")), (NOT_REPRODUCED, lambda: _supervised("once"))],
    "frequency_lstm": [
        (REPRODUCED, lambda: _lstm("once", 0.1)), (NOT_REPRODUCED, lambda: _lstm("low", 0.1)),
        (NOT_REPRODUCED, lambda: _lstm("once", 0.0001)),
    ],
    "frequency_quantized": [
        (REPRODUCED, lambda: _quantized("once")), (NOT_REPRODUCED, lambda: _quantized("low")),
        (NOT_REPRODUCED, lambda: _quantized("once", odd=0.05)),
        (NOT_REPRODUCED, lambda: _quantized("once", still_follows_loss=False)),
    ],
    "frequency_badger": [
        (REPRODUCED, lambda: _badger("random", 1.0)), (NOT_REPRODUCED, lambda: _badger("once", 1.0)),
        (NOT_REPRODUCED, lambda: _badger("random", 0.0)),
    ],
    "adding_experts": [
        (REPRODUCED, lambda: _adding(2, 450)), (NOT_REPRODUCED, lambda: _adding(-2, 450)),
        (NOT_REPRODUCED, lambda: _adding(2, 100)),
        (UNDECIDED, lambda: _adding(2, np.inf, np.inf)),
    ],
    "topology": [(REPRODUCED, lambda: _topology(500)), (NOT_REPRODUCED, lambda: _topology(-500))],
    "transient_chaos": [
        (REPRODUCED, lambda: _chaos(0.3, 0.1)), (NOT_REPRODUCED, lambda: _chaos(0.01, 0.0)),
    ],
    "dmd": [
        (REPRODUCED, lambda: _modes(0, 1.0)), (NOT_REPRODUCED, lambda: _modes(5, 1.0)),
        (UNDECIDED, lambda: _modes(0, 0.3)), (UNDECIDED, lambda: _modes(5, 1.0, seeds=4)),
        (NOT_REPRODUCED, lambda: _modes(5, 1.0, seeds=7)),
        (REPRODUCED, lambda: _modes(5, 1.0, seeds=0)), (UNDECIDED, lambda: _modes(5, 1.0, seeds=1)),
    ],
}  # fmt: skip
