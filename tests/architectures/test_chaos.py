"""The transient chaos of the TCNN: Lyapunov exponents of an uncoupled neuron, and how chaos is annealed away."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

STARTS = 16


def exponent(architecture: TCNN, steps: int = 2000) -> float:
    """The largest exponent of one neuron without inputs: the mean of ln|du'/du| along its orbit, by autograd.

    The mean over 16 orbits of 2000 steps in float64. On chaotic orbits the local exponents have a standard deviation
    near 1 and little memory, so that the mean is good to about 1/sqrt(32000) = 0.006.
    """
    weights = {
        name: torch.zeros(1, *shape, dtype=torch.float64) for name, shape in architecture.cell_shapes(inputs=1).items()
    }
    x = torch.zeros(1, STARTS, 1, dtype=torch.float64)
    u = torch.linspace(-4, 4, STARTS, dtype=torch.float64)[None, :, None]
    logs = []
    for step in range(steps + 200):
        u = u.detach().requires_grad_()
        after = architecture.cell(weights, x, u)
        (slope,) = torch.autograd.grad(after.sum(), u)
        if step >= 200:
            logs.append(float(slope.abs().log().mean()))
        u = after
    return float(np.mean(logs))


def neuron(z: float, i0: float = 0.65) -> TCNN:
    return TCNN(hidden=1, message=1, z=z, i0=i0)


def test_without_self_feedback_the_exponent_is_ln_k() -> None:
    assert exponent(neuron(0.0), steps=50) == pytest.approx(math.log(0.9), abs=1e-12)
    assert math.log(0.9) == pytest.approx(-0.10536, abs=5e-6)


@pytest.mark.parametrize("z", [1.0, 4.0, 7.5])
def test_below_four_times_one_plus_k_it_contracts(z: float) -> None:
    assert exponent(neuron(z), steps=500) < 0


def test_there_are_chaotic_bands_at_i0_065() -> None:
    """Between z = 15 and 21.7, with exponents up to about 0.35 and periodic windows in between (one holds z = 20)."""
    exponents = [exponent(neuron(float(z)), steps=1000) for z in np.arange(15.0, 21.7, 0.25)]
    assert max(exponents) == pytest.approx(0.35, abs=0.03)
    assert sum(value > 0.05 for value in exponents) > len(exponents) / 2
    assert max(exponent(neuron(z), steps=500) for z in (8.0, 10.0, 12.0, 14.0, 22.0, 23.0, 26.0)) < 0.02


@pytest.mark.parametrize("z", [12.0, 16.0, 17.0, 20.0, 21.0])
def test_the_exponent_is_that_of_the_map_written_out(z: float) -> None:
    """At z = 17, the control that stays chaotic, it is 0.30. Two estimates of the same kind: sqrt(2)*0.006*4 apart."""
    u, total, steps = np.linspace(-3, 3, STARTS), 0.0, 2000
    for step in range(steps + 200):
        s = 1 / (1 + np.exp(-u))
        if step >= 200:
            total += float(np.log(np.abs(0.9 - z * s * (1 - s))).mean())
        u = 0.9 * u - z * (s - 0.65)
    assert exponent(neuron(z)) == pytest.approx(total / steps, abs=0.034)


def test_there_is_no_chaos_at_i0_05() -> None:
    assert max(exponent(neuron(float(z), i0=0.5), steps=500) for z in range(0, 41, 2)) < 0.01


def test_self_feedback_is_annealed_over_outer_iterations() -> None:
    architecture = TCNN(z=20.0, beta=0.001)
    assert [architecture.at(n).z for n in (0, 1, 1000)] == pytest.approx([20, 19.98, 20 * 0.999**1000])
    assert architecture.at(290).z == pytest.approx(15, abs=0.05)  # out of the chaotic bands at 0.29/beta
    assert architecture.at(970).z == pytest.approx(7.6, abs=0.05)  # contracting from 0.97/beta
    assert architecture.at(300).at(300) == architecture.at(300)  # frozen


def test_training_follows_the_schedule_and_records_it() -> None:
    """z in the history is 20(1 - beta)^n; with z = 0 and with constant z it stays what it is."""
    for z, beta in ((20.0, 0.1), (0.0, 0.1), (17.0, 0.0)):
        experiment = Experiment(
            architecture=TCNN(hidden=4, message=2, z=z, beta=beta),
            topology=RandomLinks(experts=4, links=2),
            optimizer=Adam(lr=0.0),
            training=Training(iterations=6, batch_size=8, inner_steps=4),
            seeds=(0, 1),
            device="cpu",
        )
        members = Population(experiment)
        frozen = Population(experiment)
        for n, record in enumerate(train(members)):
            assert record.metrics["schedule/z"] == pytest.approx([z * (1 - beta) ** n] * 2, rel=1e-6)
            system = experiment.system._replace(architecture=TCNN(hidden=4, message=2, z=z * (1 - beta) ** n, beta=0.5))
            objective = replace(frozen.objective, system=system)
            frozen.iteration = n
            step = frozen.engine.losses(objective, frozen.parameters, frozen.draw_games())
            assert record.metrics["loss"].tolist() == step.loss_dim.mean(dim=1).tolist()
