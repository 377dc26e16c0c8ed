"""The contract of all measures, on every kind of experiment."""

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
from tests.choices import UNMEASURED
from tests.evaluation.populations import MEASURES, context_after, experiment, measure_named

KINDS: dict[str, dict[str, Any]] = {
    "experts": {},
    "no links": {"topology": Disconnected(experts=2), "readout": Weighted()},
    "chaotic": {"architecture": TCNN(hidden=6, message=2, beta=0.1)},
    "one dimension": {"task": GuessingGame(dims=1)},
    "frequencies": {"task": Frequency(dims=7)},
    "independent phases": {"task": Frequency(dims=7, phases="independent")},
    "one learner": {"architecture": LSTM(hidden=4), "topology": Single()},
    "supervised": {
        "architecture": SupervisedLSTM(hidden=4), "topology": Single(), "task": Frequency(dims=5),
        "training": Training(iterations=30, batch_size=16, inner_steps=1),
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def seen(request: pytest.FixtureRequest) -> EvaluationContext:
    return context_after(experiment(**KINDS[request.param]), iterations=3)


@pytest.mark.parametrize("name", MEASURES)
def test_values_have_the_shapes_of_the_declared_columns(name: str, seen: EvaluationContext) -> None:
    measure = measure_named(name)
    columns = measure.columns(seen.experiment)
    if columns:
        values = measure.measure(seen)
        declared = {name: (2, *column.shape) for name, column in columns.items()}
        assert {name: tuple(value.shape) for name, value in values.items()} == declared
        assert all(column.title for column in columns.values())
        assert all((column.length is None) == (not column.axis) for column in columns.values())


def test_names_of_columns_are_unique() -> None:
    setup = experiment()
    names = [name for measure in MEASURES for name in measure_named(measure).columns(setup)]
    assert len(names) == len(set(names))


def setup_for(name: str, **changes: Any) -> Experiment:
    """An experiment that the measure applies to."""
    setup = experiment(**changes)
    return setup if measure_named(name).columns(setup) else experiment(task=Frequency(dims=7), **changes)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-4, equal_nan=True, msg=name)


@pytest.mark.parametrize("name", MEASURES)
def test_a_members_values_are_the_same_in_any_population(name: str) -> None:
    """Up to rounding, since rollouts may be summed in another order."""
    measure = measure_named(name)
    if name == "saddles":  # found from a random start, up to this accuracy
        measure = replace(measure, accuracy=1e-6)
    together = measure.measure(context_after(setup_for(name), iterations=3))
    alone = measure.measure(context_after(setup_for(name, seeds=(9,)), iterations=3))
    same({column: value[1:] for column, value in together.items()}, alone)


@pytest.mark.parametrize("name", MEASURES)
def test_a_member_that_has_left_is_not_measured(name: str) -> None:
    seen = context_after(setup_for(name, seeds=(4, 9, 5)), iterations=3)
    without = replace(seen, members=torch.tensor([0, 2]), parameters=_rows(seen, [0, 2]))
    measure = measure_named(name)
    everyone = measure.measure(seen)
    same({column: value[[0, 2]] for column, value in everyone.items()}, measure.measure(without))


def _rows(seen: EvaluationContext, rows: list[int]) -> Any:
    return type(seen.parameters)(seen.parameters.flat[rows], seen.parameters.shapes)


@pytest.mark.parametrize("name", MEASURES)
def test_weights_that_are_not_finite_give_nan_for_their_member_only(name: str) -> None:
    seen = context_after(setup_for(name), iterations=3)
    broken = seen.parameters.flat.clone()
    broken[0] = torch.nan
    measure = measure_named(name)
    whole = measure.measure(seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = measure.measure(replace(seen, parameters=type(seen.parameters)(broken, seen.parameters.shapes)))
    of_earlier_losses = {"hurst", "sequentiality", "loss_chaos"}
    for column, value in values.items():
        if name not in of_earlier_losses and column not in ("modes/none",):
            assert value[0].isnan().all(), column
        torch.testing.assert_close(value[1], whole[column][1], rtol=1e-4, atol=1e-4, equal_nan=True, msg=column)


def test_standard_measures_do_not_warn_before_they_can_be_taken() -> None:
    """At a run's first measurements, the window of losses is not full yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = context_after(experiment(), iterations=1)
        for name in ("fixed_loss", "mutual_information", "binding", "inner_binding", "hurst", "sequentiality"):
            measure_named(name).measure(seen)


def test_without_measures_none_is_taken() -> None:
    """Whatever cadence a measure has by default."""
    assert {name: measure.every for name, measure in UNMEASURED.by_name.items()} == dict.fromkeys(MEASURES)
