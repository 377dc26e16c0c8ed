"""The LSTM meta-learner: one recurrent network instead of experts."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.architectures.linear import affine, uniform
from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.settings import Size, settings


@settings
class LSTM(Architecture):
    """One LSTM layer that reads [latest guess ; error] at every inner step and emits the next guess.

    The cell is exactly `torch.nn.LSTMCell`, names and order of weights included (gates i, f, g, o); the head is
    linear, so that a guess is unbounded. h and c start at 0. All weights start from U[-1/sqrt(H), 1/sqrt(H)].

    Args:
        hidden: size H of h and c (document: 64).

    Source: the document; the input is reconstructed.
    """

    single_agent: ClassVar[bool] = True

    hidden: Size = 64

    def initial_parameters(self, dims: int, inputs: int, experts: int, generator: torch.Generator) -> Parameters:
        return uniform(lstm_shapes(dims + 1, dims, self.hidden), self.hidden, generator)

    def initial_state(self, games: int, experts: int, random: RandomBatches) -> State:
        zeros = torch.zeros(len(random), games, self.hidden, device=random.device)
        return {"h": zeros, "c": zeros}

    def step(
        self,
        parameters: Parameters,
        adjacency: Float[Tensor, "population expert expert"],
        state: State,
        observation: Observation,
    ) -> tuple[State, Float[Tensor, "population game expert dim"]]:
        x = torch.cat([observation.guess, self.perceived(observation.error)[..., None]], dim=-1)
        h, c = lstm_cell(parameters, x, state["h"], state["c"])
        state = {"h": h, "c": c}
        return state, self.outputs(parameters, state)

    def outputs(self, parameters: Parameters, state: State) -> Float[Tensor, "population game expert dim"]:
        return affine(state["h"], parameters["weight_out"], parameters["bias_out"])[:, :, None]

    def perceived(self, error: Float[Tensor, "population game"]) -> Float[Tensor, "population game"]:
        """The error as the network reads it: unchanged."""
        return error


def lstm_shapes(inputs: int, outputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of an LSTM cell and its head, by name."""
    return {
        "weight_ih": (4 * hidden, inputs),
        "weight_hh": (4 * hidden, hidden),
        "bias_ih": (4 * hidden,),
        "bias_hh": (4 * hidden,),
        "weight_out": (outputs, hidden),
        "bias_out": (outputs,),
    }


def lstm_cell(
    parameters: Parameters,
    x: Float[Tensor, "population row input"],
    h: Float[Tensor, "population row hidden"],
    c: Float[Tensor, "population row hidden"],
) -> tuple[Float[Tensor, "population row hidden"], Float[Tensor, "population row hidden"]]:
    """The next h and c: `torch.nn.LSTMCell`, with separate weights for every member."""
    from_x = affine(x, parameters["weight_ih"], parameters["bias_ih"])
    from_h = affine(h, parameters["weight_hh"], parameters["bias_hh"])
    i, f, g, o = (from_x + from_h).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c
