"""Every optimiser follows torch's, and updates each member as if it were alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.optimizers.adamw import AdamW
from badger_sweeps.optimizers.base import Optimizer
from badger_sweeps.optimizers.rmsprop import RMSprop
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.schedules.base import Schedule
from badger_sweeps.schedules.constant import Constant
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.population import Population
from tests.choices import choices_of, small

SEEDS = (4, 5, 6)


def population(optimizer: Optimizer, clip_norm: float | None, schedule: Schedule | None = None) -> Population:
    experiment = Experiment(
        architecture=GRU(hidden=4, message=2),
        topology=RandomLinks(experts=4, links=2),
        optimizer=optimizer,
        schedule=schedule or Constant(),
        training=Training(batch_size=4, inner_steps=3, clip_norm=clip_norm),
        seeds=SEEDS,
        device="cpu",
    )
    return Population(experiment)


def gradients(members: Population):
    setup = members.experiment
    return members.engine.gradients(setup.system, members.parameters, members.mixing, members.draw_games(), 3, 1)


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("choice", choices_of("optimizer"))
def test_one_members_exploding_gradient_changes_no_other(choice: str, clip_norm: float | None) -> None:
    """To the bit, for eight iterations: first enormous, then infinite gradients in the middle member."""
    calm, struck = (population(small("optimizer", choice), clip_norm) for _ in range(2))
    for iteration in range(8):
        calm.update(gradients(calm))
        step = gradients(struck)
        factor = 1e12 if iteration < 5 else torch.inf
        step.gradients.flat[1] *= factor
        struck.update(step)
    assert struck.active.tolist() == [True, False, True]
    for name, tensor in calm.parameters.items():
        for member in (0, 2):
            assert torch.equal(tensor[member], struck.parameters[name][member])
        assert not torch.equal(tensor[1], struck.parameters[name][1])


TORCHS = {
    "adam": (Adam(lr=0.03, beta1=0.8, beta2=0.95, eps=1e-3), torch.optim.Adam, {"betas": (0.8, 0.95), "eps": 1e-3}),
    "adamw": (
        AdamW(lr=0.03, beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.3),
        torch.optim.AdamW,
        {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.3},
    ),
    "rmsprop": (
        RMSprop(lr=0.03, alpha=0.9, eps=1e-3, momentum=0.5),
        torch.optim.RMSprop,
        {"alpha": 0.9, "eps": 1e-3, "momentum": 0.5},
    ),
    "sgd": (SGD(lr=0.03, momentum=0.7), torch.optim.SGD, {"momentum": 0.7}),
}


@pytest.mark.parametrize("choice", TORCHS)
def test_members_follow_torchs_optimiser_run_on_each_alone(choice: str) -> None:
    """With torch's own gradient clipping, which acts on one model."""
    settings, torchs, arguments = TORCHS[choice]
    members = population(settings, clip_norm=0.2)
    alone = [
        {name: tensor[member].detach().clone().requires_grad_() for name, tensor in members.parameters.items()}
        for member in range(len(SEEDS))
    ]
    optimizers = [torchs(weights.values(), lr=0.03, **arguments) for weights in alone]
    for _ in range(6):
        step = gradients(members)
        for member, weights in enumerate(alone):
            for name, weight in weights.items():
                weight.grad = step.gradients[name][member].clone()
            torch.nn.utils.clip_grad_norm_(weights.values(), 0.2)
            optimizers[member].step()
        members.update(step)
        for member, weights in enumerate(alone):
            for name, weight in weights.items():
                torch.testing.assert_close(members.parameters[name][member], weight, atol=1e-6, rtol=1e-5)


def test_steps_and_checkpoints_do_not_import_the_compiler() -> None:
    """Which would take a second or two of every start."""
    program = """
import sys, torch
from tests.choices import choices_of, small
for choice in choices_of("optimizer"):
    weights = torch.ones(3, requires_grad=True)
    weights.grad = torch.ones(3)
    optimizer = small("optimizer", choice).build([weights])
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.zero_grad()
    assert weights.requires_grad and (weights < 1).all()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
