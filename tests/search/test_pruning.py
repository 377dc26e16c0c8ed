"""Stopping trials early: our rule stops no winner, Optuna's rules decide as they do in Optuna, and nothing is lost."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
)
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError

from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.runs.checkpoint import read_checkpoint
from badger_sweeps.search.pruning import BoundPruning, CensoredBound, TrainingProgress, build_pruning
from badger_sweeps.search.trial_outcome import OUTCOME, TrialOutcome, TrialStatus
from benchmarks.replaying import TIMES, Search, pruned
from tests.search.claiming import claimed, opened
from tests.search.commands import Controller, Records, command, iterations_done, sweep, wait_until
from tests.search.planned import begin, make_search, rows


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """A few trials whose seeds walk down the staircase at their own pace, noisily, or diverge."""
    staircase = Staircase(draw(st.integers(1, 3)), draw(st.integers(2, 6)))
    trials, seeds, blocks = draw(st.integers(2, 6)), draw(st.integers(1, 4)), draw(st.integers(3, 12))
    draws = np.random.default_rng(draw(st.integers(0, 10**6)))
    steps = draws.random((trials, blocks, seeds)) < draw(st.floats(0.05, 0.8))
    levels = np.clip(1 - steps.cumsum(axis=1) / staircase.parts, 0, 1)
    loss = np.repeat(levels, staircase.block, axis=1)[:, draws.integers(staircase.block) :]
    loss = loss + draw(st.sampled_from([0, 0.1])) * draws.standard_normal(loss.shape)
    for trial, seed in zip(*np.nonzero(draws.random((trials, seeds)) < 0.1), strict=True):
        loss[trial, draws.integers(loss.shape[1]) :, seed] = np.nan
    return Search("drawn", staircase, loss.astype(np.float32))


def check_that_only_losers_were_stopped(recorded: Search, name: str, rule: CensoredBound, order: list[int]) -> None:
    """What each stopped trial would have come to lies above what it was measured by; the best trial was not stopped."""
    values = recorded.per_seed(name).mean(axis=1)
    replay = pruned(recorded, name, BoundPruning(rule), order)
    for place, trial in enumerate(order):
        complete = [values[number] for number in order[:place] if not replay.stopped[number]]
        if replay.stopped[trial]:
            assert len(complete) >= rule.min_trials
            assert values[trial] > np.quantile(complete, rule.quantile)
    assert not replay.stopped[values == values.min()].any()


@given(
    recorded=searches(),
    name=st.sampled_from(sorted(TIMES)),
    quantile=st.sampled_from([0.0, 0.25, 1.0]),
    min_trials=st.integers(1, 3),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_the_bound_never_stops_a_trial_that_would_have_been_better(
    recorded: Search, name: str, quantile: float, min_trials: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(recorded.loss))))
    rule = CensoredBound(quantile=quantile, min_trials=min_trials)
    check_that_only_losers_were_stopped(recorded, name, rule, order)


@pytest.mark.parametrize("name", sorted(TIMES))
@pytest.mark.parametrize("dims", [2, 4])
def test_it_stops_no_winner_among_recorded_trials(dims: int, name: str) -> None:
    recorded = Search.recorded(dims)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(recorded.loss)).tolist()
        rule = CensoredBound(quantile=0.25 * (seed % 2))
        check_that_only_losers_were_stopped(recorded, name, rule, order)
        assert pruned(recorded, name, BoundPruning(rule), order).stopped.mean() > 0.3  # and stops what it can


def test_the_limit_is_a_quantile_of_the_complete_trials() -> None:
    values = [30.0, 10.0, 20.0, 40.0, 50.0]
    assert CensoredBound().limit(values) == 10
    assert CensoredBound(quantile=0.25).limit(values) == 20
    assert CensoredBound(quantile=0.5).limit(values) == 30
    assert CensoredBound(quantile=1.0).limit(values) == 50
    assert CensoredBound(quantile=0.125).limit(values) == 15  # halfway, as numpy's and everybody's default


def test_nothing_is_stopped_before_enough_trials_are_complete() -> None:
    rule = CensoredBound(min_trials=3)
    assert rule.limit([]) == rule.limit([1.0, 2.0]) == np.inf
    assert rule.limit([1.0, 2.0, 3.0]) == 1


@pytest.mark.parametrize("wrong", [{"quantile": -0.1}, {"quantile": 1.1}, {"min_trials": 0}, {"min_trials": "2"}])
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CensoredBound(**wrong)


def reason_to_prune(in_study: optuna.Study, progress: TrainingProgress) -> str | None:
    trial = in_study.ask()
    return BoundPruning(CensoredBound()).reason_to_prune(in_study, in_study._storage, trial._trial_id, progress)


LOST = TrainingProgress(100, 1.0, 100.0)
"""In a search whose best trial counts 10."""


def with_values(*values: float, directions: tuple[str, ...] = ("minimize",)) -> optuna.Study:
    made = optuna.create_study(directions=directions)
    for value in values:
        made.tell(made.ask(), [value] * len(directions))
    return made


def test_a_trial_is_stopped_above_the_incumbent_and_not_at_it() -> None:
    best = with_values(10.0, 50.0)
    reason = reason_to_prune(best, LOST)
    assert reason == "after 100 iterations its mean is at least 100, above 10"
    assert reason_to_prune(best, TrainingProgress(100, 1.0, 10.0)) is None
    assert reason_to_prune(best, TrainingProgress(100, 1.0, np.nextafter(10.0, 11))) is not None


def test_what_has_no_bound_or_one_direction_less_is_not_stopped() -> None:
    assert reason_to_prune(with_values(10.0), TrainingProgress(100, 1.0, None)) is None
    assert reason_to_prune(with_values(10.0, directions=("maximize",)), LOST) is None
    assert reason_to_prune(with_values(10.0, directions=("minimize", "minimize")), LOST) is None


def test_nobody_is_measured_by_a_trial_that_breaks_a_constraint() -> None:
    study = with_values()
    forbidden = study.ask()
    forbidden.set_constraint("diverged", 0.1)
    study.tell(forbidden, 10.0)
    assert reason_to_prune(study, LOST) is None
    allowed = study.ask()
    allowed.set_constraint("diverged", 0.0)
    study.tell(allowed, 90.0)
    assert reason_to_prune(study, LOST) is not None


def test_pruned_and_failed_trials_measure_nobody() -> None:
    study = with_values()
    stopped = study.ask()
    stopped.report(1.0, 1)
    study.tell(stopped, state=optuna.trial.TrialState.PRUNED)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    assert reason_to_prune(study, LOST) is None


STEPS = range(10, 130, 10)
PRUNERS = {
    "median": lambda: MedianPruner(n_startup_trials=3, n_warmup_steps=20),
    "percentile": lambda: PercentilePruner(25.0, n_startup_trials=2),
    "successive halving": lambda: SuccessiveHalvingPruner(),
    "hyperband": lambda: HyperbandPruner(min_resource=10, max_resource=120, reduction_factor=3),
    "patient": lambda: PatientPruner(MedianPruner(n_startup_trials=2), patience=2),
    "patient alone": lambda: PatientPruner(None, patience=3),
    "threshold": lambda: ThresholdPruner(upper=0.9, n_warmup_steps=60),
}


def curves(seed: int, trials: int = 25) -> NDArray[np.float64]:
    """Noisy losses on plateaus of different length."""
    draws = np.random.default_rng(seed)
    falls = draws.random((trials, len(STEPS))) < draws.random((trials, 1)) / 2
    return np.maximum(0, 1 - 0.25 * falls.cumsum(axis=1)) + 0.05 * draws.standard_normal((trials, len(STEPS)))


def stops_in_optuna(pruner: BasePruner, losses: NDArray[np.float64]) -> dict[int, int]:
    """In which iteration each pruned trial of `study.optimize` was."""
    stops: dict[int, int] = {}

    def objective(trial: optuna.Trial) -> float:
        for iteration, loss in zip(STEPS, losses[trial.number], strict=True):
            trial.report(loss, iteration)
            if trial.should_prune():
                stops[trial.number] = iteration
                raise optuna.TrialPruned
        return float(losses[trial.number, -1])

    plain = optuna.create_study(study_name="test", sampler=optuna.samplers.RandomSampler(0), pruner=pruner)
    plain.optimize(objective, n_trials=len(losses))
    return stops


@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize("seed", [0, 1])
def test_optunas_pruners_decide_as_they_do_in_optuna(name: str, seed: int, tmp_path: Path) -> None:
    """One trial in five dies on the way and continues from a point that it had passed, which changes nothing."""
    losses = curves(seed)
    expected = stops_in_optuna(PRUNERS[name](), losses)
    search = make_search(tmp_path, n_trials=len(losses), max_retries=1)
    stops: dict[int, int] = {}
    for number in range(len(losses)):
        trial = begin(search, build_pruning(PRUNERS[name]()))
        assert trial.claim.number == number
        all_progress = [
            TrainingProgress(step, float(loss), None) for step, loss in zip(STEPS, losses[number], strict=True)
        ]
        if number % 5 == 0 and expected.get(number, STEPS.stop) > STEPS[5]:
            assert [trial.reason_to_prune(progress) for progress in all_progress[:6]] == [None] * 6
            search.requeue(trial.claim, died=True)
            trial = begin(search, build_pruning(PRUNERS[name]()))
            assert trial.claim.number == number
            all_progress = all_progress[3:]
        reason = None
        for progress in all_progress:
            reason = trial.reason_to_prune(progress)
            if reason is not None:
                stops[number] = progress.iteration
                break
        details = {"iterations": progress.iteration}
        if reason is None:
            search.tell(trial.claim, TrialOutcome(TrialStatus.COMPLETED, (progress.loss,), details=details))
        else:
            search.tell(trial.claim, TrialOutcome(TrialStatus.PRUNED, (progress.loss,), reason, details))
    assert stops == expected
    assert 0 < len(stops) < len(losses)


def test_what_was_reported_of_a_trial_stays(tmp_path: Path) -> None:
    """A race begins anew with other seeds, whose losses do not take the place of those that others are measured by."""
    search = make_search(tmp_path)
    trial = begin(search, build_pruning(ThresholdPruner(upper=0.9)))
    for step in (10, 20, 30):
        assert trial.reason_to_prune(TrainingProgress(step, 0.5, None)) is None
    assert trial.reason_to_prune(TrainingProgress(20, 0.99, None)) is None
    assert search.trials()[0].intermediate_values == {10: 0.5, 20: 0.5, 30: 0.5}
    assert trial.reason_to_prune(TrainingProgress(40, 0.99, None)) == "ThresholdPruner at iteration 40, mean loss 0.99"


class Onlooker(RandomSampler):
    """Keeps the intermediate values of pruned trials, as samplers see them."""

    def __init__(self, seed: int | None, seen: dict[int, dict[int, float]]) -> None:
        super().__init__(seed)
        self._seen = seen

    def before_trial(self, search: optuna.Study, trial: FrozenTrial) -> None:
        pruned_ones = search.get_trials(states=(TrialState.PRUNED,))
        self._seen.update({trial.number: trial.intermediate_values for trial in pruned_ones})


def test_pruners_compare_losses_and_samplers_bounds_whoever_stopped_a_trial(tmp_path: Path) -> None:
    """Of starts with different pruners. A bound is in iterations: among losses it would be a leap by three digits."""
    seen: dict[int, dict[int, float]] = {}
    search = opened(tmp_path, n_trials=9, sampler=lambda seed: Onlooker(seed, seen))
    median, bound = build_pruning(MedianPruner(n_startup_trials=3, n_warmup_steps=150)), build_pruning(CensoredBound())
    for _ in range(4):
        trial = begin(search, median)
        for iteration in (100, 200, 300):
            assert trial.reason_to_prune(TrainingProgress(iteration, 0.5, float(iteration))) is None
        search.tell(trial.claim, TrialOutcome(TrialStatus.COMPLETED, (350.0,), details={"iterations": 900}))
    for rule, loss, at in ((median, 0.9, 200), (bound, 0.2, 400), (median, 0.8, 200)):
        trial = begin(search, rule)
        for iteration in range(100, at + 1, 100):
            reason = trial.reason_to_prune(TrainingProgress(iteration, loss, float(iteration)))
            assert (reason is None) == (iteration < at)
        search.tell(trial.claim, TrialOutcome(TrialStatus.PRUNED, (float(at),), str(reason), {"iterations": at}))
    claimed(search)
    stored = [trial.intermediate_values for trial in search.trials()]
    assert stored[4:7] == [{100: 0.9, 200: 0.9}, {}, {100: 0.8, 200: 0.8}]
    assert seen == {4: {200: 200.0}, 5: {400: 400.0}, 6: {200: 200.0}}


def test_a_pruned_trial_of_an_earlier_version_is_seen_with_what_it_had_reported(tmp_path: Path) -> None:
    seen: dict[int, dict[int, float]] = {}
    search = opened(tmp_path, sampler=lambda seed: Onlooker(seed, seen))
    claim = claimed(search)
    search.storage.set_trial_intermediate_value(claim.trial_id, 40, 40.0)
    search.storage.set_trial_state_values(claim.trial_id, TrialState.PRUNED, [40.0])
    claimed(search)
    assert seen == {0: {40: 40.0}}


SEARCH = (
    "hydra/sweeper/pruner=bound",
    "hydra.sweeper.n_trials=4",
    "hydra.sweeper.warm_start=[{optimizer.lr:0.01}]",
    "optimizer.lr=tag(log,interval(0.00001,0.01))",
    "training.batch_size=64",
    "training.iterations=900",
    "training.checkpoint_every=50",
    "engine=reference",  # slow enough for a signal to arrive before a trial is pruned
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pruned") / "s"
    finished = sweep(folder, *SEARCH)
    assert finished.returncode == 0, finished.stderr
    return folder


def stopped(folder: Path) -> dict[int, int]:
    """In which iteration each pruned trial was."""
    trials = [trial for trial in Records.of(folder).trials() if trial.state == TrialState.PRUNED]
    return {trial.number: trial.user_attrs[OUTCOME]["iterations"] for trial in trials}


@pytest.mark.slow
def test_a_pruned_trial_is_the_beginning_of_the_unpruned_one(undisturbed: Path, tmp_path: Path) -> None:
    """With the random sampler, whose draws do not depend on how trials end."""
    whole = tmp_path / "s"
    assert sweep(whole, *SEARCH, "hydra/sweeper/pruner=none").returncode == 0
    values = [trial.value for trial in Records.of(whole).trials()]
    assert stopped(undisturbed)
    for number, iterations in stopped(undisturbed).items():
        assert values[number] > min(values[:number])
        history = rows(whole / str(number))
        pd.testing.assert_frame_equal(
            rows(undisturbed / str(number)),
            history[history["iteration"] < iterations].reset_index(drop=True),
            check_exact=True,
        )
        _, state = read_checkpoint(undisturbed / str(number) / "checkpoint.pt")
        assert state["iteration"] == iterations
        assert not (undisturbed / str(number) / "summary.json").exists()
    for number in set(range(4)) - set(stopped(undisturbed)):
        assert Records.of(undisturbed).trials()[number].value == values[number]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_trial_is_pruned_where_it_would_have_been(
    undisturbed: Path, number: int, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    trial = min(stopped(undisturbed))
    controller = Controller(command(folder, *SEARCH), tmp_path / "log")
    wait_until(lambda: iterations_done(folder / str(trial)) >= 50, controller)
    controller.signal(number)
    assert controller.wait() in (143, -signal.SIGKILL)
    assert trial not in stopped(folder)
    again = sweep(folder, *SEARCH)
    assert again.returncode == 0, again.stderr
    assert stopped(folder) == stopped(undisturbed)
    for number in stopped(folder):
        pd.testing.assert_frame_equal(rows(folder / str(number)), rows(undisturbed / str(number)), check_exact=True)
