"""Every optimiser follows torch's, and updates each member as if it were alone."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
import pytorch_optimizer
import torch

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.weights import Weights
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.optimizers.adamw import AdamW
from badger_sweeps.optimizers.base import Optimizer
from badger_sweeps.optimizers.muon import Muon
from badger_sweeps.optimizers.rmsprop import RMSprop
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.optimizers.shampoo import Shampoo
from badger_sweeps.optimizers.soap import SOAP
from badger_sweeps.schedules.base import Schedule
from badger_sweeps.schedules.constant import Constant
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.population import Population
from tests.choices import choices_of, small
from tests.engines.between import Between

SEEDS = (4, 5, 6)


def population(
    optimizer: Optimizer, clip_norm: float | None, schedule: Schedule | None = None, seeds: tuple[int, ...] = SEEDS
) -> Population:
    experiment = Experiment(
        architecture=GRU(hidden=4, message=2),
        topology=RandomLinks(experts=4, links=2),
        optimizer=optimizer,
        schedule=schedule or Constant(),
        training=Training(batch_size=4, inner_steps=3, clip_norm=clip_norm),
        seeds=seeds,
        device="cpu",
    )
    return Population(experiment)


@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("choice", choices_of("optimizer"))
def test_one_members_exploding_gradient_changes_no_other(choice: str, clip_norm: float | None) -> None:
    """To the bit, for eight iterations: first enormous, then infinite gradients in the middle member."""
    calm, struck = (population(small("optimizer", choice), clip_norm) for _ in range(2))
    Between(calm)  # which lets neither leave the steps to the kernel: they would be rounded otherwise
    Between(struck, lambda gradients: gradients[:, 1].mul_(1e12 if struck.iteration < 5 else torch.inf))
    for _ in range(8):
        calm.advance()
        struck.advance()
    assert struck.active.tolist() == [True, False, True]
    for name, tensor in calm.parameters.items():
        for member in (0, 2):
            assert torch.equal(tensor[member], struck.parameters[name][member])
        assert not torch.equal(tensor[1], struck.parameters[name][1])


@pytest.mark.parametrize("choice", choices_of("optimizer"))
def test_a_member_is_the_same_run_in_any_population(choice: str) -> None:
    """Twelve iterations, in which every optimiser renews what it keeps.

    The kernel's gradients are equal to the bit, and so is what is done to each member by itself. What is done to all in
    one tensor is rounded as places in it have it: by 6e-8 in each of twelve steps of at most some tenths.
    """
    together = population(small("optimizer", choice), 0.5)
    for _ in range(12):
        together.advance()
    for member, seed in enumerate(SEEDS):
        alone = population(small("optimizer", choice), 0.5, seeds=(seed,))
        for _ in range(12):
            alone.advance()
        bound = 1e-6 if small("optimizer", choice).elementwise else 0.0
        torch.testing.assert_close(alone.parameters.flat[0], together.parameters.flat[member], rtol=0, atol=bound)


@pytest.mark.parametrize("choice", choices_of("optimizer"))
def test_it_goes_on_from_what_was_saved(choice: str) -> None:
    """To the bit, through a file as checkpoints are read."""
    whole, half = (population(small("optimizer", choice), 0.5) for _ in range(2))
    for _ in range(11):
        half.advance()
    file = io.BytesIO()
    torch.save(half.state_dict(), file)
    file.seek(0)
    again = population(small("optimizer", choice), 0.5)
    again.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(22):
        whole.advance()
    for _ in range(11):
        again.advance()
    assert torch.equal(whole.parameters.flat, again.parameters.flat)


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
    "soap": (
        SOAP(lr=0.03, beta1=0.8, beta2=0.9, eps=1e-6, weight_decay=0.1, every=2),
        pytorch_optimizer.SOAP,
        {"betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.1, "precondition_frequency": 2},
    ),
    "shampoo": (Shampoo(lr=0.03, eps=1e-4), pytorch_optimizer.Shampoo, {"matrix_eps": 1e-4}),
}


@pytest.mark.parametrize("choice", TORCHS)
def test_members_follow_the_library_s_optimiser_run_on_each_alone(choice: str) -> None:
    """With torch's gradient clipping, which acts on one model.

    Not for those that take eigenvectors: those of the first gradients' outer product are free to turn in its null
    space, so that the rounding of another clipping would turn them.
    """
    settings, kind, arguments = TORCHS[choice]
    members = population(settings, 0.2 if settings.elementwise else None)
    engine = Between(members)
    alone = [
        {name: tensor[member].detach().clone().requires_grad_() for name, tensor in members.parameters.items()}
        for member in range(len(SEEDS))
    ]
    optimizers = [kind(weights.values(), lr=0.03, **arguments) for weights in alone]
    for _ in range(6):
        members.advance()
        gradients = Weights(engine.found.gradients[0], members.parameters.shapes)
        for member, weights in enumerate(alone):
            for name, weight in weights.items():
                weight.grad = gradients[name][member].clone()
            if settings.elementwise:
                torch.nn.utils.clip_grad_norm_(weights.values(), 0.2)
            optimizers[member].step()
        for member, weights in enumerate(alone):
            for name, weight in weights.items():
                torch.testing.assert_close(members.parameters[name][member], weight, atol=1e-6, rtol=1e-5)


def test_muon_orthogonalises_matrices_and_leaves_vectors_to_adam() -> None:
    """After one step without decay: a matrix has moved by lr * 0.2 * sqrt(max(m, n)) along singular vectors of its
    gradient, with singular values that five Newton-Schulz iterations bring to 0.7 to 1.2 (Jordan et al. 2024); a vector
    by lr in each component, as Adam's first step does."""
    members = population(Muon(lr=0.01), None)
    before = {name: tensor.clone() for name, tensor in members.parameters.items()}
    members.advance()
    for name, tensor in members.parameters.items():
        moved = (before[name] - tensor) / 0.01
        for member in range(len(SEEDS)):
            if moved[member].ndim == 1:
                torch.testing.assert_close(moved[member].abs(), torch.ones_like(moved[member]), rtol=1e-2, atol=0)
            else:
                values = torch.linalg.svdvals(moved[member]) / (0.2 * max(moved[member].shape) ** 0.5)
                assert (values > 0.6).all(), name
                assert (values < 1.3).all(), name


def test_muon_follows_the_library_s_own_with_all_its_settings() -> None:
    """Run on each member alone: matrices and vectors in separate groups; six steps, so that moments matter."""
    ours = Muon(lr=0.02, momentum=0.8, beta1=0.7, beta2=0.9, eps=1e-3, weight_decay=0.2)
    members = population(ours, None)
    engine = Between(members)
    alone = [[tensor[member].clone() for tensor in members.parameters.values()] for member in range(len(SEEDS))]
    shared = {"lr": 0.02, "weight_decay": 0.2}
    vectors = {"use_muon": False, "betas": (0.7, 0.9), "eps": 1e-3, **shared}
    optimizers = [
        pytorch_optimizer.Muon(
            [
                {
                    "params": [tensor for tensor in weights if tensor.ndim == 2],
                    "use_muon": True,
                    "momentum": 0.8,
                    **shared,
                },
                {"params": [tensor for tensor in weights if tensor.ndim == 1], **vectors},
            ],
            use_adjusted_lr=True,
        )
        for weights in alone
    ]
    for _ in range(6):
        members.advance()
        gradients = Weights(engine.found.gradients[0], members.parameters.shapes)
        for member, weights in enumerate(alone):
            for weight, gradient in zip(weights, gradients.values(), strict=True):
                weight.grad = gradient[member].clone()
            optimizers[member].step()
            for weight, tensor in zip(weights, members.parameters.values(), strict=True):
                torch.testing.assert_close(tensor[member], weight, atol=1e-6, rtol=1e-5)


def test_steps_and_checkpoints_do_not_import_the_compiler() -> None:
    """Which would take a second or two of every start."""
    program = """
import sys, torch
from tests.choices import choices_of, small
for choice in choices_of("optimizer"):
    if not small("optimizer", choice).elementwise:
        continue
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
