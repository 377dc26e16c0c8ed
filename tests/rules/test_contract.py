"""What every rule keeps: the shipped ones with all aggregators, and two of a third party."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.columns import Column, metric
from badger_sweeps.core.settings import explain, settings
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.rules.base import Rule, RuleState, Start, Step, Update
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import metric_columns, train, train_in_chunks
from badger_sweeps.training.population import Population
from tests.choices import choices_of, small
from tests.engines.between import Between
from tests.rules.third_party import RandomDirection, SurgeryByHand

SEEDS = (4, 0, 9)
SHIPPED = [(name, aggregator) for name in choices_of("rule") for aggregator in choices_of("aggregator")]
RULES = {
    **{f"{name}-{aggregator}": (small("rule", name), small("aggregator", aggregator)) for name, aggregator in SHIPPED},
    "random_direction": (RandomDirection(), small("aggregator", "mean")),
    "surgery_by_hand": (SurgeryByHand(), small("aggregator", "mean")),
}
RULES = {key: pair for key, pair in RULES.items() if pair[0].aggregates or key.endswith("-mean") or "-" not in key}
every_rule = pytest.mark.parametrize("name", RULES)


def experiment(name: str, seeds: tuple[int, ...] = SEEDS, iterations: int = 12, **changes: object) -> Experiment:
    rule, aggregator = RULES[name]
    parts = {
        "architecture": GRU(hidden=8, message=4),
        "topology": RandomLinks(experts=5, links=2),
        "task": GuessingGame(dims=3),
        "rule": rule,
        "aggregator": aggregator,
        "training": Training(iterations=iterations, batch_size=8, inner_steps=4),
        "seeds": seeds,
        "device": "cpu",
    }
    return Experiment(**{**parts, **changes})


@every_rule
def test_members_train_as_they_would_alone(name: str) -> None:
    """Up to the rounding of 12 iterations of float32."""
    together = Population(experiment(name))
    records = list(train(together))
    for member, seed in enumerate(SEEDS):
        alone = Population(experiment(name, (seed,)))
        for record, single in zip(records, train(alone), strict=True):
            assert record.metrics.keys() == single.metrics.keys()
            for column, values in record.metrics.items():
                np.testing.assert_allclose(
                    values[member], single.metrics[column][0], rtol=1e-4, atol=1e-6, err_msg=column
                )
        torch.testing.assert_close(alone.parameters.flat[0], together.parameters.flat[member], rtol=1e-4, atol=1e-5)


@every_rule
def test_it_goes_on_bit_for_bit_from_what_was_saved(name: str) -> None:
    """Through a file, as checkpoints are read; everything that a rule remembers is in it by name."""
    whole = list(train(Population(experiment(name))))
    first = Population(experiment(name))
    list(islice(train(first), 5))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert state["rule"].keys() == first.rule_state.keys()
    second = Population(experiment(name))
    second.load_state_dict(state)
    for record, resumed in zip(whole[5:], train(second), strict=True):
        for column, values in record.metrics.items():
            assert values.tobytes() == resumed.metrics[column].tobytes(), column


@every_rule
def test_its_cost_is_what_it_asked_of_the_engine(name: str) -> None:
    members = Population(experiment(name))
    engine = Between(members)
    for record in train(members):
        assert record.metrics["cost/evaluations"].tolist() == [engine.spent] * len(SEEDS)
    assert engine.spent > 0


@every_rule
def test_its_metrics_are_columns_of_every_record(name: str) -> None:
    setup = experiment(name, iterations=3)
    for record in train(Population(setup)):
        assert list(record.metrics) == list(metric_columns(setup))
        assert {column.name for column in setup.rule.metrics} < record.metrics.keys()
        assert all(np.isfinite(values).all() for values in record.metrics.values())


@every_rule
def test_a_member_that_diverges_is_frozen_and_told_once(name: str) -> None:
    """The others do not notice, to the bit; its weights stay what they were, and it costs nothing any more."""
    calm = list(train(Population(experiment(name))))
    members = Population(experiment(name))
    records = train(members)
    before = list(islice(records, 4))
    with torch.no_grad():
        members.parameters["weight_out"][1, 0, 0] = torch.inf
    kept = members.parameters.flat[1].clone()
    after = list(records)
    assert [record.metrics["diverged"].tolist() for record in before] == [[0, 0, 0]] * 4
    assert after[0].metrics["diverged"].tolist() == [0, 1, 0]
    assert [record.seeds for record in after[1:]] == [(4, 9)] * 7
    assert torch.equal(members.parameters.flat[1], kept)
    assert members.evaluations[1] * 12 == members.evaluations[0] * 5
    for record, other in zip(calm[5:], after[1:], strict=True):
        assert record.metrics["loss"][[0, 2]].tobytes() == other.metrics["loss"].tobytes()


def test_a_rule_learns_without_gradients() -> None:
    """One number to guess, two experts: 400 random steps, of which those that pay are taken, leave chance.

    The mean of 20 iterations of 64 games of 24 seeds at chance has a standard deviation of sqrt(0.8/30720) = 0.005;
    four of them are allowed.
    """
    setup = experiment(
        "random_direction",
        seeds=tuple(range(24)),
        task=GuessingGame(dims=1),
        topology=RandomLinks(experts=2, links=1),
        training=Training(iterations=400, batch_size=64, inner_steps=4),
    )
    losses = np.stack([record.metrics["loss"] for record in train(Population(setup))])
    assert losses[-20:].mean() < 0.98


def test_surgery_by_hand_is_ours_but_for_the_order() -> None:
    """Two dimensions have one order only: weights after ten steps of plain gradient descent agree."""
    same = {"task": GuessingGame(dims=2), "optimizer": SGD(lr=0.1, momentum=0.0)}
    training = Training(iterations=10, batch_size=8, inner_steps=4, clip_norm=None)
    ours = Population(experiment("gradient_descent-pcgrad", training=training, **same))
    by_hand = Population(experiment("surgery_by_hand", training=training, **same))
    for members in (ours, by_hand):
        list(train(members))
    torch.testing.assert_close(ours.parameters.flat, by_hand.parameters.flat, rtol=1e-4, atol=1e-6)
    plain = Population(experiment("gradient_descent-mean", training=training, **same))
    list(train(plain))
    assert not torch.allclose(ours.parameters.flat, plain.parameters.flat, rtol=1e-4, atol=1e-6)


def test_an_aggregator_that_the_rule_would_not_use_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        experiment("random_direction", aggregator=small("aggregator", "pcgrad"))
    rule = "`aggregator` must be MeanGradient with RandomDirection, which aggregates no gradients"
    assert explain(refused.value) == f"{rule}; found PCGrad."


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    shared = (
        f"hydra.searchpath=[file://{Path(__file__).with_name('conf')}]",
        *("topology.experts=5", "topology.links=2", "architecture.hidden=8", "architecture.message=4", "seeds=3"),
        *("training.batch_size=8", "training.inner_steps=4", "measures.every=null", f"hydra.run.dir={folder}"),
    )
    line = [sys.executable, "-m", "badger_sweeps", *shared, *words]
    return subprocess.run(line, capture_output=True, text=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("rule", ["random_direction", pytest.param("surgery_by_hand", marks=pytest.mark.slow)])
def test_a_third_party_rule_is_a_choice_on_the_command_line(rule: str, tmp_path: Path) -> None:
    """History, W&B, summary, stop and resumption, without a line of ours changed for it."""
    whole = run(tmp_path / "whole", f"rule={rule}", "training.iterations=40")
    assert whole.returncode == 0, whole.stderr
    for iterations in (20, 40):
        half = run(tmp_path / "halves", f"rule={rule}", f"training.iterations={iterations}")
        assert half.returncode == 0, half.stderr
    histories = [pd.read_parquet(tmp_path / name / "history.parquet") for name in ("whole", "halves")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    described = {"random_direction": RandomDirection.metrics, "surgery_by_hand": SurgeryByHand.metrics}[rule]
    metrics = [column.name for column in described]
    assert set(metrics) <= set(histories[0])
    assert "grad_norm" not in histories[0]
    summary = json.loads((tmp_path / "whole" / "summary.json").read_text())
    assert not any(seed["diverged"] for seed in summary["seeds"])
    logged = subprocess.run(
        ["wandb", "leet", "inspect", str(next((tmp_path / "whole" / "wandb").glob("offline-run-*"))), "--json"],
        capture_output=True, text=True, env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
    )  # fmt: skip
    assert f'"{metrics[0]}"' in logged.stdout


@settings
class Careless(SurgeryByHand):
    """Takes everybody for alive, and returns another state than it announced."""

    kept: bool = True
    metrics: ClassVar[tuple[Column, ...]] = (metric("conflicts", "Pairs of dimensions in conflict"),)

    def update(self, step: Step, state: RuleState) -> Update:
        update = super().update(step, state)
        further = {} if self.kept else {"further": torch.zeros(3)}
        return update._replace(alive=torch.ones(3, dtype=torch.bool), state={**update.state, **further})


@settings
class Counting(SurgeryByHand):
    """Counts iterations in a tensor of its state that it changes in place, and returns as a metric; so with losses."""

    metrics: ClassVar[tuple[Column, ...]] = (*SurgeryByHand.metrics, metric("count", "Iterations so far"))

    def initial_state(self, start: Start) -> RuleState:
        losses = torch.zeros(len(start.seeds), 3)
        return {**super().initial_state(start), "count": torch.zeros(len(start.seeds)), "losses": losses}

    def update(self, step: Step, state: RuleState) -> Update:
        state["count"].add_(1)
        own = {name: state[name] for name in ("count", "losses")}
        update = super().update(step, {name: value for name, value in state.items() if name not in own})
        own["losses"].copy_(update.loss_dim)
        metrics = {**update.metrics, "count": own["count"]}
        return update._replace(state={**update.state, **own}, loss_dim=own["losses"], metrics=metrics)


def test_what_a_rule_returns_and_later_changes_in_place_is_recorded_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badger_sweeps.training.loop.SECONDS", 1e9)
    members = Population(experiment("surgery_by_hand", rule=Counting()))
    chunks = list(train_in_chunks(members, lambda _: 12))
    assert max(map(len, chunks)) > 1
    records = [record for chunk in chunks for record in chunk]
    assert [record.metrics["count"].tolist() for record in records] == [[n] * 3 for n in range(1, 13)]
    losses = [record.metrics["loss"].tolist() for record in train(Population(experiment("surgery_by_hand")))]
    assert [record.metrics["loss"].tolist() for record in records] == losses


def test_losses_that_are_not_finite_have_diverged_whatever_a_rule_says() -> None:
    members = Population(experiment("surgery_by_hand", rule=Careless()))
    with torch.no_grad():
        members.parameters["weight_out"][1, 0, 0] = torch.inf
    first, second, *_ = train(members)
    assert first.metrics["diverged"].tolist() == [0, 1, 0]
    assert second.seeds == (4, 9)


def test_what_a_rule_did_not_announce_is_refused() -> None:
    """It would not be restored from a checkpoint, or would be no column."""
    silent = settings(type("Silent", (SurgeryByHand,), {"metrics": (metric("conflicts", ""), metric("more", ""))}))
    counting = settings(type("Counting", (SurgeryByHand,), {"initial_state": lambda self, start: {"n": 0}}))
    with pytest.raises(TypeError, match=r"state of an update by Careless must be \['order'\], as announced; found"):
        Population(experiment("surgery_by_hand", rule=Careless(kept=False))).advance()
    with pytest.raises(
        TypeError, match=r"metrics of an update by Silent must be \['conflicts', 'more'\], as announced"
    ):
        Population(experiment("surgery_by_hand", rule=silent())).advance()
    with pytest.raises(TypeError, match="state 'n' of Counting must be a tensor, or have `state_dict`"):
        Population(experiment("surgery_by_hand", rule=counting()))


def test_another_author_s_rule_of_the_same_name_is_another_rule() -> None:
    """Ours go by their class's name alone, as they always have."""
    assert experiment("random_direction").identity["rule"] == "tests.rules.third_party.RandomDirection"
    assert experiment("gradient_descent-mean").identity["rule"] == "GradientDescent"


def test_a_rule_must_be_one(tmp_path: Path) -> None:
    refused = run(tmp_path / "run", "rule._target_=badger_sweeps.readouts.mean.Mean")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["loss", "radius/mean"])
def test_a_metric_s_name_must_be_free(name: str) -> None:
    with pytest.raises(TypeError, match=f"`Own.metrics` must be names without a slash .*; found '{name}'"):
        type("Own", (RandomDirection,), {"metrics": (metric(name, ""),)})


def test_the_base_class_alone_is_no_rule() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Rule()  # type: ignore[abstract]
