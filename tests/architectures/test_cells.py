"""The cells against torch's, against each other, and against the definition written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM, lstm_cell, lstm_shapes
from badger_sweeps.architectures.lstm_quantized import LSTMQuantized
from badger_sweeps.architectures.micro_badger import MicroBadger
from badger_sweeps.architectures.supervised_lstm import SupervisedLSTM
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.core.axes import Parameters
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.core.settings import settings
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

INPUTS, MEMBERS, ROWS = 5, 3, 7


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Parameters:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(MEMBERS, *shape, generator=generator) for name, shape in shapes.items()}


def rows(size: int, seed: int) -> torch.Tensor:
    return torch.randn(MEMBERS, ROWS, size, generator=torch.Generator().manual_seed(seed))


def draw(architecture: MicroBadger) -> tuple[Parameters, torch.Tensor, torch.Tensor]:
    return drawn(architecture.cell_shapes(INPUTS)), rows(INPUTS, 1), rows(architecture.hidden, 2)


def of_member(parameters: Parameters, member: int, prefixes: tuple[str, ...]) -> Parameters:
    return {name: weights[member] for name, weights in parameters.items() if name.startswith(prefixes)}


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


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.7), (-0.2, 1.3)])
def test_exponential_is_the_studys_formula(a: float, b: float) -> None:
    parameters, x, h = draw(Exponential(hidden=6))
    gated = GRU(hidden=6).cell(parameters, x, h)
    torch.testing.assert_close(Exponential(hidden=6, a=a, b=b).cell(parameters, x, h), a * h + b * gated)
    assert (Exponential().a, Exponential().b) == (0.5, 0.7)


def test_tcnn_is_its_formula() -> None:
    architecture = TCNN(hidden=6, k=0.8, z=13.0, i0=0.6)
    parameters, x, u = draw(architecture)
    ours = architecture.cell(parameters, x, u)
    for member in range(MEMBERS):
        weights = {name: tensor[member].double() for name, tensor in parameters.items()}
        for row in range(ROWS):
            s = [1 / (1 + math.exp(-float(value))) for value in u[member, row]]
            for neuron in range(6):
                driven = float(weights["weight_ih"][neuron] @ x[member, row].double() + weights["bias"][neuron])
                driven += sum(float(weights["weight_hh"][neuron, other]) * s[other] for other in range(6))
                expected = 0.8 * float(u[member, row, neuron]) + driven - 13 * (s[neuron] - 0.6)
                assert float(ours[member, row, neuron]) == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(architecture.activity(u), torch.sigmoid(u))


def test_lstm_is_torchs_lstm_cell_for_every_member() -> None:
    parameters = drawn(lstm_shapes(INPUTS, 2, 6))
    x, h, c = rows(INPUTS, 1), rows(6, 2), rows(6, 3)
    ours = lstm_cell(parameters, x, h, c)
    for member in range(MEMBERS):
        cell = torch.nn.LSTMCell(INPUTS, 6)
        cell.load_state_dict(of_member(parameters, member, ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
        for mine, theirs in zip(ours, cell(x[member], (h[member], c[member])), strict=True):
            torch.testing.assert_close(mine[member], theirs, atol=1e-6, rtol=0)


def observed(error: float, dims: int = 2, inputs: int = 0) -> Observation:
    generator = torch.Generator().manual_seed(4)
    guess = torch.randn(MEMBERS, ROWS, dims, generator=generator)
    task_inputs = torch.randn(MEMBERS, ROWS, dims, inputs, generator=generator)
    return Observation(torch.full((MEMBERS, ROWS), error), guess, task_inputs)


def test_lstm_reads_guess_and_error_and_emits_a_guess() -> None:
    architecture = LSTM(hidden=6)
    parameters, seen = drawn(lstm_shapes(3, 2, 6)), observed(0.8)
    start = architecture.initial_state(ROWS, 1, RandomBatches.of((0,), Purpose.STATES))
    assert not start["h"].any()
    assert not start["c"].any()
    state = {"h": rows(6, 2), "c": rows(6, 3)}
    after, outputs = architecture.step(parameters, torch.zeros(MEMBERS, 1, 1), state, seen)
    for member in range(MEMBERS):
        cell, head = torch.nn.LSTMCell(3, 6), torch.nn.Linear(6, 2)
        cell.load_state_dict(of_member(parameters, member, ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))
        head.load_state_dict({"weight": parameters["weight_out"][member], "bias": parameters["bias_out"][member]})
        x = torch.cat([seen.guess[member], seen.error[member][:, None]], dim=1)
        h, c = cell(x, (state["h"][member], state["c"][member]))
        torch.testing.assert_close(after["h"][member], h, atol=1e-6, rtol=0)
        torch.testing.assert_close(after["c"][member], c, atol=1e-6, rtol=0)
        torch.testing.assert_close(outputs[member, :, 0], head(h), atol=2e-6, rtol=0)


@pytest.mark.parametrize(
    ("error", "bins", "range_", "midpoint"),
    [(0.0, 12, 1.2, 0.05), (0.349, 12, 1.2, 0.35), (1.04, 12, 1.2, 1.05), (7.0, 12, 1.2, 1.15), (0.9, 4, 2.0, 0.75)],
)
def test_quantised_error_is_the_midpoint_of_its_bin(error: float, bins: int, range_: float, midpoint: float) -> None:
    seen = LSTMQuantized(bins=bins, range=range_).perceived(torch.tensor([[error]]))
    assert float(seen) == pytest.approx(midpoint)


def test_quantised_error_takes_as_many_values_as_bins_and_no_gradient() -> None:
    errors = torch.linspace(0, 2, 1000)[None].requires_grad_()
    seen = LSTMQuantized().perceived(errors)
    assert len(seen.unique()) == 12
    assert not seen.requires_grad


def test_quantised_lstm_is_lstm_told_the_midpoint() -> None:
    parameters, state = drawn(lstm_shapes(3, 2, 6)), {"h": rows(6, 2), "c": rows(6, 3)}
    alone = torch.zeros(MEMBERS, 1, 1)
    _, quantised = LSTMQuantized(hidden=6).step(parameters, alone, state, observed(0.78))
    _, plain = LSTM(hidden=6).step(parameters, alone, state, observed(0.75))
    torch.testing.assert_close(quantised, plain, atol=1e-6, rtol=0)


def test_supervised_lstm_is_torchs_lstm_along_the_samples() -> None:
    architecture = SupervisedLSTM(hidden=6)
    parameters, seen = drawn(lstm_shapes(3, 1, 6)), observed(0.8, dims=9, inputs=3)
    _, outputs = architecture.step(parameters, torch.zeros(MEMBERS, 1, 1), {}, seen)
    for member in range(MEMBERS):
        lstm, head = torch.nn.LSTM(3, 6, batch_first=True), torch.nn.Linear(6, 1)
        cell = of_member(parameters, member, ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        lstm.load_state_dict({f"{name}_l0": weights for name, weights in cell.items()})
        head.load_state_dict({"weight": parameters["weight_out"][member], "bias": parameters["bias_out"][member]})
        expected = head(lstm(seen.inputs[member])[0])[..., 0]
        torch.testing.assert_close(outputs[member, :, 0], expected, atol=2e-6, rtol=0)


def test_initial_noise_scales_the_states_and_nothing_else() -> None:
    random = RandomBatches.of((1,), Purpose.STATES)
    quiet, loud = (GRU(initial_noise=noise).initial_state(4, 3, random) for noise in (0.5, 1.0))
    torch.testing.assert_close(2 * quiet["h"], loud["h"])
    assert not quiet["m"].any()


@pytest.mark.parametrize("architecture", [GRU(hidden=16), TCNN(hidden=16), LSTM(hidden=16), SupervisedLSTM(hidden=16)])
def test_weights_start_as_torchs_cells_do(architecture: GRU | LSTM | SupervisedLSTM) -> None:
    """U[-1/4, 1/4] for 16 hidden units: within the bounds, and with the spread of a uniform distribution.

    The smallest sample has 1200 numbers, whose standard deviation has a relative error of about
    sqrt((9/5 - 1)/4/1200) = 1.3 %; four of them are allowed.
    """
    drawn = architecture.initial_parameters(3, 3, 5, torch.Generator().manual_seed(0))
    numbers = torch.cat([tensor.flatten() for tensor in drawn.values()])
    assert len(numbers) > 500
    assert float(numbers.abs().max()) <= 0.25
    assert float(numbers.std()) == pytest.approx(0.25 / math.sqrt(3), rel=0.08)


@pytest.mark.parametrize("architecture", [GRU(hidden=5), TCNN(hidden=5), LSTM(hidden=5)])
def test_outputs_are_a_function_of_the_state(architecture: Architecture) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn_weights = [architecture.initial_parameters(2, 0, 4, generator) for _ in range(3)]
    weights = {name: torch.stack([member[name] for member in drawn_weights]) for name in drawn_weights[0]}
    experts = 1 if architecture.single_agent else 4
    state = architecture.initial_state(7, experts, RandomBatches.of(range(3), Purpose.STATES))
    links = torch.rand(3, experts, experts, generator=generator)
    seen = Observation(torch.rand(3, 7), torch.rand(3, 7, 2), torch.zeros(3, 7, 2, 0))
    after, outputs = architecture.step(weights, links, state, seen)
    assert outputs.shape == (3, 7, experts, 2)
    torch.testing.assert_close(architecture.outputs(weights, {"h": after["h"]}), outputs)


@settings
class Identified(GRU):
    """Each expert reads a vector that identifies it, beside the messages it receives."""

    def initial_parameters(self, dims: int, inputs: int, experts: int, generator: torch.Generator) -> Parameters:
        drawn = super().initial_parameters(dims, inputs, experts, generator)
        return {**drawn, "identity": torch.randn(experts, self.message, generator=generator)}

    def input(self, parameters: Parameters, adjacency: Tensor, messages: Tensor, error: Tensor) -> Tensor:
        received = torch.matmul(adjacency[:, None], messages) + parameters["identity"][:, None]
        seen = error[:, :, None, None].expand(*received.shape[:3], 1)
        return torch.cat([received, seen], dim=-1).flatten(1, 2)


def test_an_architecture_may_know_its_experts_and_read_its_weights_where_it_hears() -> None:
    """Weights drawn for each expert, read by `input`, trained with all others, by the engine that knows the class."""
    setup = Experiment(
        architecture=Identified(hidden=4, message=2),
        topology=RandomLinks(experts=5, links=2),
        training=Training(iterations=3, batch_size=4, inner_steps=3),
        seeds=(0, 1),
        device="cpu",
    )
    members = Population(setup)
    assert members.parameters["identity"].shape == (2, 5, 2)
    assert "no cell for Identified" in members.engine_description
    before = members.parameters["identity"].clone()
    list(train(members))
    assert (members.parameters["identity"] != before).all()
