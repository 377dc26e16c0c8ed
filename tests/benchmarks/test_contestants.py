"""Trainings that take turns: the protocol with a process, the arithmetic of a race, and our own run as a contestant."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from badger_sweeps.evaluation.measures import Measures
from benchmarks.contestants import Case, Contestant, TrainingRace, learn_alike, started
from benchmarks.figures import Figure
from benchmarks.whole_run import never
from benchmarks.workloads import SIZES, experiment

CORES = tuple(sorted(os.sched_getaffinity(0)))[:1]


def idle(folder: Path, iterations: int = 40, turn: int = 10, **options: bool) -> Case:
    return Case("tests.benchmarks.idle", "small", 2, iterations, turn, CORES, 1, folder, options)


def test_contestants_take_turns_until_one_is_finished(tmp_path: Path) -> None:
    cases = {"fast": idle(tmp_path / "fast"), "slow": idle(tmp_path / "slow", iterations=400, turn=5)}
    with started(cases) as contestants:
        race = TrainingRace(contestants, budget=60)
        race.run()
    assert race.turns == 3
    assert [len(contestant.seconds) for contestant in contestants.values()] == [4, 4]
    assert [contestant.losses.shape for contestant in contestants.values()] == [(40, 2), (20, 2)]
    assert contestants["slow"].losses[:, 1].tolist() == list(range(20))
    assert contestants["fast"].start["compilation"] == 0.5
    assert contestants["fast"].peak > 1


def test_a_race_ends_with_its_budget(tmp_path: Path) -> None:
    with started({"only": idle(tmp_path / "only", iterations=10**6)}) as contestants:
        race = TrainingRace(contestants, budget=0)
        race.run()
    assert race.turns == 3


def test_a_contestant_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"(?s)tests.benchmarks.idle: expected 'ready'; found 'failed'.*cannot train"),
        started({"only": idle(tmp_path / "only", broken=True)}),
    ):
        pass


def test_what_a_contestant_computes_after_its_turn_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As W&B's service does: half a second until nothing more than the clock's tick is added."""
    computed = iter([7.0, 7.3, 7.5, 7.51])
    monkeypatch.setattr(Contestant, "_computed", lambda _: next(computed))
    monkeypatch.setattr("benchmarks.contestants.SETTLE", 0)
    assert Contestant.__new__(Contestant)._afterwards() == 0.5


def test_a_contestant_whose_start_is_interrupted_leaves_no_process(tmp_path: Path, monkeypatch) -> None:
    def interrupted(self: Contestant, expected: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Contestant, "_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Contestant(idle(tmp_path))
    assert multiprocessing.active_children() == []


def raced(seconds: dict[str, list[float]]) -> TrainingRace:
    """A race that is over, with made-up times."""
    made = {}
    for name, each in seconds.items():
        made[name] = Contestant.__new__(Contestant)
        made[name].seconds = each
    return TrainingRace(made, budget=0)


def test_ratios_are_medians_over_turns_without_the_first() -> None:
    race = raced({"slow": [99.0, 4.0, 40.0, 5.0], "fast": [1.0, 1.0, 10.0, 1.0]})
    assert race.turns == 3
    assert race.median("slow") == Figure(5.0, 4.5, 22.5)
    assert race.ratio("slow", "fast", better="higher") == Figure(4.0, 4.0, 4.5, "higher")
    assert race.excess("slow", "fast") == Figure(300.0, 300.0, 350.0)
    assert race.ratio_of_sums("slow", "fast") == pytest.approx(49 / 12)


def test_a_peers_members_learn_as_ours_do() -> None:
    members = np.linspace(0.9, 1.1, 8, dtype=np.float32)
    ours = np.tile(members, (100, 1))
    ours[:20] = 0  # before the second half of the peer's iterations
    ours[40:] = 0  # after them
    assert learn_alike(ours, np.tile(members[::-1] + np.float32(0.03), (40, 1)))
    assert not learn_alike(ours, np.tile(members + np.float32(0.3), (40, 1)))
    assert not learn_alike(ours, np.tile(members - np.float32(0.3), (40, 1)))


def test_our_run_trains_in_turns(tmp_path: Path) -> None:
    """Two turns of ten; the losses are those of the run's history. Without W&B, whose service takes long to start."""
    options = {"wandb": False, "measures": False}
    case = Case("benchmarks.whole_run", "small", 2, 30, 10, CORES, 1, tmp_path / "ours", options)
    with started({"ours": case}) as contestants:
        ours = contestants["ours"]
        ours.turn()
        ours.turn()
        assert not ours.finished
        ours.close()
    assert ours.losses.shape == (20, 2)
    assert np.isfinite(ours.losses).all()
    assert len(set(ours.losses[:, 0])) == 20


def test_without_measures_none_is_ever_taken() -> None:
    setup = experiment(SIZES["small"], 2)
    assert Measures().of(setup)
    assert Measures(every=None, **never(Measures())).of(setup) == []
