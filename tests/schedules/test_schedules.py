"""Learning rates against torch's own schedulers, and as training applies and records them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LRScheduler, StepLR

from badger_sweeps.core.settings import explain
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.schedules.base import Schedule
from badger_sweeps.schedules.cosine import Cosine
from badger_sweeps.schedules.exponential import ExponentialDecay
from badger_sweeps.schedules.step import Step
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population
from tests.choices import choices_of, small


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (Cosine(iterations=50, floor=0.1), lambda o: CosineAnnealingLR(o, T_max=50, eta_min=0.1)),
        (ExponentialDecay(half_life=20), lambda o: ExponentialLR(o, gamma=2 ** (-1 / 20))),
        (Step(every=7, drop=0.3), lambda o: StepLR(o, step_size=7, gamma=0.3)),
    ],
)
def test_factors_are_those_of_torchs_scheduler(ours: Schedule, torchs: type[LRScheduler]) -> None:
    scheduler = torchs(optimizer())
    for iteration in range(51):
        assert ours.factor(iteration) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-9)
        scheduler.optimizer.step()
        scheduler.step()


def test_warmup_rises_in_equal_steps_to_the_full_rate() -> None:
    cosine = Cosine(iterations=100, warmup=4, floor=0.2)
    assert [cosine.factor(n) for n in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert cosine.factor(52) == pytest.approx(0.6)
    assert cosine.factor(100) == cosine.factor(10_000) == pytest.approx(0.2)
    assert ExponentialDecay(half_life=3).factor(6) == pytest.approx(0.25)


def test_a_warmup_must_end() -> None:
    with pytest.raises(ValidationError) as refused:
        Cosine(iterations=10, warmup=10)
    line = "`schedule.warmup` must be below `schedule.iterations`; found warmup=10, iterations=10."
    assert explain(refused.value, "schedule") == line


def experiment(schedule: Schedule, lr: float = 0.5) -> Experiment:
    return Experiment(
        topology=RandomLinks(experts=4, links=2),
        optimizer=SGD(lr=lr, momentum=0.0),
        schedule=schedule,
        training=Training(iterations=6, batch_size=4, inner_steps=2, clip_norm=None),
        seeds=(0, 1),
        device="cpu",
    )


@pytest.mark.parametrize("choice", choices_of("schedule"))
def test_training_moves_by_the_scheduled_rate_and_records_it(choice: str) -> None:
    """Plain gradient descent moves each member by rate * norm of its gradient."""
    schedule = {"cosine": Cosine(iterations=5, warmup=2), "step": Step(every=2, drop=0.5)}.get(choice)
    schedule = schedule or small("schedule", choice)
    members = Population(experiment(schedule))
    before = {name: tensor.detach().clone() for name, tensor in members.parameters.items()}
    for n, record in enumerate(train(members)):
        rate = 0.5 * schedule.factor(n)
        assert record.metrics["schedule/lr"] == pytest.approx([rate] * 2, rel=1e-6)
        after = {name: tensor.detach().clone() for name, tensor in members.parameters.items()}
        squares = sum((after[name] - before[name]).flatten(1).square().sum(1) for name in after)
        expected = [rate * norm for norm in record.metrics["grad_norm"]]
        assert torch.as_tensor(squares).sqrt().tolist() == pytest.approx(expected, rel=1e-3, abs=1e-6)
        before = after


def test_going_on_later_follows_the_same_schedule() -> None:
    whole = Population(experiment(Cosine(iterations=6)))
    losses = [record.metrics["loss"].tolist() for record in train(whole)]
    first = Population(replace(whole.experiment, training=replace(whole.experiment.training, iterations=3)))
    list(train(first))
    second = Population(whole.experiment)
    second.load_state_dict(first.state_dict())
    assert [record.metrics["loss"].tolist() for record in train(second)] == losses[3:]
    assert math.isclose(second.learning_rate(second.iteration), 0, abs_tol=1e-12)
