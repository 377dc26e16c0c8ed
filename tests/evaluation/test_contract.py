"""What every measure keeps to, on every kind of experiment."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.supervised_lstm import SupervisedLSTM
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.evaluation.context import EvaluationContext
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.disconnected import Disconnected
from badger_sweeps.topologies.single import Single
from badger_sweeps.training.experiment import Experiment, Training
from tests.evaluation.populations import MEASURES, experiment, measure_named, moment

KINDS: dict[str, dict[str, Any]] = {
    "experts": {},
    "no links": {"topology": Disconnected(experts=2), "readout": Weighted()},
    "chaotic": {"architecture": TCNN(hidden=6, message=2, beta=0.1)},
    "one dimension": {"task": GuessingGame(dims=1)},
    "frequencies": {"task": Frequency(dims=7)},
    "independent phases": {"task": Frequency(dims=7, phases="independent")},
    "one learner": {"architecture": LSTM(hidden=4), "topology": Single()},
    "told": {
        "architecture": SupervisedLSTM(hidden=4), "topology": Single(), "task": Frequency(dims=5),
        "training": Training(iterations=30, batch_size=16, inner_steps=1),
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def seen(request: pytest.FixtureRequest) -> EvaluationContext:
    return moment(experiment(**KINDS[request.param]), iterations=3)


@pytest.mark.parametrize("name", MEASURES)
def test_gives_the_columns_it_announces(name: str, seen: EvaluationContext) -> None:
    measure = measure_named(name)
    columns = measure.columns(seen.experiment)
    if columns:
        found = measure.measure(seen)
        announced = {title: (2, *column.shape) for title, column in columns.items()}
        assert {title: tuple(value.shape) for title, value in found.items()} == announced
        assert all(column.title for column in columns.values())
        assert all((column.length is None) == (not column.axis) for column in columns.values())


def test_names_of_columns_are_never_shared() -> None:
    setup = experiment()
    names = [name for measure in MEASURES for name in measure_named(measure).columns(setup)]
    assert len(names) == len(set(names))


def setup_for(name: str, **changes: Any) -> Experiment:
    """One that the measure applies to."""
    setup = experiment(**changes)
    return setup if measure_named(name).columns(setup) else experiment(task=Frequency(dims=7), **changes)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-4, equal_nan=True, msg=name)


@pytest.mark.parametrize("name", MEASURES)
def test_a_member_measures_the_same_in_any_population(name: str) -> None:
    """Up to float rounding of the rollout, which may be summed in another order."""
    measure = measure_named(name)
    if name == "saddles":  # a random start finds the same eigenvalues, to the accuracy that was asked for
        measure = replace(measure, accuracy=1e-6)
    together = measure.measure(moment(setup_for(name), iterations=3))
    alone = measure.measure(moment(setup_for(name, seeds=(9,)), iterations=3))
    same({column: value[1:] for column, value in together.items()}, alone)


@pytest.mark.parametrize("name", MEASURES)
def test_a_member_that_left_is_not_measured(name: str) -> None:
    seen = moment(setup_for(name, seeds=(4, 9, 5)), iterations=3)
    without = replace(seen, members=torch.tensor([0, 2]), parameters=_rows(seen, [0, 2]))
    measure = measure_named(name)
    everyone = measure.measure(seen)
    same({column: value[[0, 2]] for column, value in everyone.items()}, measure.measure(without))


def _rows(seen: EvaluationContext, rows: list[int]) -> Any:
    return type(seen.parameters)(seen.parameters.flat[rows], seen.parameters.shapes)


@pytest.mark.parametrize("name", MEASURES)
def test_weights_that_are_not_finite_give_nan_for_their_member_alone(name: str) -> None:
    seen = moment(setup_for(name), iterations=3)
    broken = seen.parameters.flat.clone()
    broken[0] = torch.nan
    measure = measure_named(name)
    whole = measure.measure(seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure.measure(replace(seen, parameters=type(seen.parameters)(broken, seen.parameters.shapes)))
    looks_back = {"hurst", "sequentiality", "loss_chaos"}
    for column, value in found.items():
        if name not in looks_back and column not in ("modes/none",):
            assert value[0].isnan().all(), column
        torch.testing.assert_close(value[1], whole[column][1], rtol=1e-4, atol=1e-4, equal_nan=True, msg=column)


def test_standard_measures_do_not_warn_before_they_can_be_taken() -> None:
    """A run's first measurements come before there is a window of losses."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = moment(experiment(), iterations=1)
        for name in ("fixed_loss", "mutual_information", "binding", "inner_binding", "hurst", "sequentiality"):
            measure_named(name).measure(seen)
