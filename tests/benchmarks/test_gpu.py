"""The script for a GPU, rehearsed without one: its bookkeeping, and its steps on the CPU."""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from pathlib import Path

import pytest
import torch

from benchmarks import bench_gpu
from benchmarks.bench_gpu import Device, Outcome, Step, all_steps, carry_out, check, main, shown, stored
from benchmarks.figures import Figure, Row
from benchmarks.workloads import Size

TINY = {"base": Size(3, 5, 6, 4, 3), "lstm": Size(3, 1, 6, 0, 3, dims=5, links=0)}
CPU = Device("cpu")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_failure_hides_no_other_step_and_everything_is_saved_as_it_comes() -> None:
    def fails() -> list[Row]:
        raise RuntimeError("CUDA error:\nan illegal memory access")

    saved: list[list[str]] = []

    def save(outcome: Outcome) -> None:
        saved.append([str(row.labels["check"]) for row in outcome.rows])

    steps = [
        Step("first", lambda: [check("a", "x", 1.0)]),
        Step("second", fails),
        Step("third", lambda: [check("b", "x", 1.0), check("c", "x", 1.0)]),
    ]
    outcome = carry_out(steps, budget=100, save=save)
    assert saved == [["a"], ["a"], ["a", "b", "c"], ["a", "b", "c"]]
    assert outcome.failures == {"second": "RuntimeError: CUDA error: an illegal memory access"}
    assert list(outcome.seconds) == ["first", "second", "third"]
    assert "failed: second: RuntimeError: CUDA error: an illegal memory access" in shown(outcome)


def test_steps_for_which_no_time_is_left_are_named() -> None:
    clock = Clock()

    def takes(seconds: float) -> list[Row]:
        clock.now += seconds
        return []

    steps = [Step(name, lambda: takes(40)) for name in ("first", "second", "third", "fourth")]
    outcome = carry_out(steps, budget=100, save=lambda _: None, clock=clock)
    assert outcome.seconds == {"first": 40, "second": 40, "third": 40}
    assert outcome.left_out == ["fourth"]
    assert shown(outcome).splitlines()[-1] == "left out, no time: fourth"


def test_a_step_that_takes_too_long_is_ended() -> None:
    def sleeps() -> list[Row]:
        with contextlib.suppress(Exception):
            time.sleep(60)
        return []

    steps = [Step("first", sleeps), Step("second", lambda: [check("a", "x", 1.0)])]
    outcome = carry_out(steps, budget=100, save=lambda _: None, limit=0.05)
    assert outcome.failures == {"first": "not finished after 0 s"}
    assert len(outcome.rows) == 1


def test_a_value_above_its_bound_or_without_a_number_is_named() -> None:
    rows = [check("a", "x", 0.5, 1), check("b", "x", 1.5, 1), check("c", "x", float("nan"), 1), check("d", "x", 9.0)]
    outcome = Outcome(rows)
    assert [words.split(":")[1] for words in outcome.out_of_bounds] == [" check b, detail x", " check c, detail x"]
    assert "above its bound: checks on a GPU: check b, detail x: 1.5, bound 1" in shown(outcome)


def test_host_synchronisations_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    with Device("cuda").synchronisations() as found:
        for _ in range(3):
            warnings.warn("called a synchronizing CUDA operation", UserWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert len(found) == 3
    assert modes == ["warn", "default"]


def test_without_a_gpu_the_script_says_so(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--out", str(tmp_path / "gpu.json")]) == 2
    assert capsys.readouterr().err == "there is no GPU; `--device cpu` rehearses without one\n"
    assert not (tmp_path / "gpu.json").exists()


def rehearsed(steps: list[Step]) -> Outcome:
    outcome = carry_out(steps, budget=600, save=lambda _: None)
    assert outcome.failures == {}
    assert outcome.out_of_bounds == []
    return outcome


def values(outcome: Outcome) -> dict[tuple[str, str], float]:
    """The values of the checks, by name and detail."""
    checks = [row for row in outcome.rows if row.table == bench_gpu.CHECKS_TABLE]
    return {(str(row.labels["check"]), str(row.labels["detail"])): row.figures["value"].value for row in checks}


def test_checks_and_iterations_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_gpu, "BLOCK", 2)
    steps = [step for step in all_steps(CPU, TINY, populations=(3, 1)) if "measure" not in step.name]
    outcome = rehearsed([step for step in steps if "evaluation" not in step.name])
    found = values(outcome)
    assert 0 < found["gradients beside float64", "base"] < 1e-6
    assert found["CUDA graph: recordings in three iterations", "base"] == 1
    assert found["CUDA graph beside computing anew", "base"] == 0
    assert found["host synchronisations of an iteration, warned of", "base, 8 members"] == 0
    three, one = [row for row in outcome.rows if row.table == bench_gpu.ITERATIONS_TABLE]
    assert (three.labels, one.labels) == ({"members": 3}, {"members": 1})
    assert three.figures["ms a member"].value == pytest.approx(three.figures["ms"].value / 3)
    assert three.figures["iterations/s"].value == pytest.approx(1e3 / three.figures["ms"].value)
    json.dumps(stored(outcome, CPU))


def test_measures_on_the_cpu_beside_themselves() -> None:
    """The same numbers to the bit: games, weights and losses are the same on the device."""
    outcome = rehearsed(bench_gpu.measures(CPU, TINY["base"], members=2))
    apart = {name: value for (name, _), value in values(outcome).items() if name.endswith("the CPU's")}
    assert set(apart.values()) == {0.0}
    measured = {detail for name, detail in values(outcome) if name == "measure beside the CPU's"}
    assert {"fixed_loss", "mutual_information", "binding", "hurst"} <= measured


@pytest.mark.parametrize(
    ("found", "exact", "expected"),
    [
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([1.0, float("nan")], [1.0, float("nan")], 0.0),
        ([1.0, 0.0], [1.0, float("nan")], float("inf")),
        ([0.0, 0.25], [0.0, 0.0], 0.25),
    ],
)
def test_distances_of_measures(found: list[float], exact: list[float], expected: float) -> None:
    assert bench_gpu._apart(torch.tensor(found), torch.tensor(exact)) == expected


def test_a_figure_of_a_check_may_have_quartiles() -> None:
    assert check("a", "x", Figure(2.0, 1.0, 3.0), bound=2.5).figures["value"].spread == 2.0
