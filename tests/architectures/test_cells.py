"""The cells against torch's own, and against each other."""

from __future__ import annotations

import pytest
import torch

from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.micro_badger import MicroBadger
from badger_sweeps.foundations.axes import Parameters

INPUTS, MEMBERS, ROWS = 5, 3, 7


def draw(architecture: MicroBadger, seed: int = 0) -> tuple[Parameters, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = architecture.cell_shapes(INPUTS)
    parameters = {name: torch.randn(MEMBERS, *shape, generator=generator) for name, shape in shapes.items()}
    x = torch.randn(MEMBERS, ROWS, INPUTS, generator=generator)
    h = torch.randn(MEMBERS, ROWS, architecture.hidden, generator=generator)
    return parameters, x, h


def test_gru_is_torchs_gru_cell_for_every_member() -> None:
    architecture = GRU(hidden=6)
    parameters, x, h = draw(architecture)
    ours = architecture.cell(parameters, x, h)
    for member in range(MEMBERS):
        cell = torch.nn.GRUCell(INPUTS, 6)
        cell.load_state_dict({name: weights[member] for name, weights in parameters.items()})
        torch.testing.assert_close(ours[member], cell(x[member], h[member]), atol=1e-6, rtol=0)


def test_without_reset_gate_it_is_the_two_gate_form() -> None:
    architecture = GRU(hidden=6, reset_gate=False)
    parameters, x, h = draw(architecture)
    ours = architecture.cell(parameters, x, h)
    for member in range(MEMBERS):
        weights = {name: tensor[member].double() for name, tensor in parameters.items()}
        pre = x[member].double() @ weights["weight_ih"].T + weights["bias_ih"]
        pre += h[member].double() @ weights["weight_hh"].T + weights["bias_hh"]
        z, v = torch.sigmoid(pre[:, :6]), torch.tanh(pre[:, 6:])
        expected = z * h[member].double() + (1 - z) * v
        torch.testing.assert_close(ours[member].double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("reset_gate", [True, False])
def test_exponential_with_a_0_and_b_1_is_gru(reset_gate: bool) -> None:
    gru = GRU(hidden=6, reset_gate=reset_gate)
    parameters, x, h = draw(gru)
    exponential = Exponential(hidden=6, reset_gate=reset_gate, a=0.0, b=1.0)
    assert torch.equal(exponential.cell(parameters, x, h), gru.cell(parameters, x, h))


def test_exponential_is_the_studys_formula() -> None:
    parameters, x, h = draw(Exponential(hidden=6))
    gated = GRU(hidden=6).cell(parameters, x, h)
    torch.testing.assert_close(Exponential(hidden=6).cell(parameters, x, h), 0.5 * h + 0.7 * gated)


def test_initial_noise_scales_the_states_and_nothing_else() -> None:
    quiet, loud = (
        GRU(initial_noise=noise).initial_state(4, 3, torch.Generator().manual_seed(1)) for noise in (0.5, 1.0)
    )
    torch.testing.assert_close(2 * quiet["h"], loud["h"])
    assert not quiet["m"].any()
