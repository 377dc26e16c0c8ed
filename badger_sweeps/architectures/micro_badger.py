"""Micro-Badger: experts with one set of weights, private states and messages over a graph."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.architectures.linear import affine, uniform
from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.core.settings import NonNegative, Size, settings


@settings
class MicroBadger(Architecture):
    """E experts that share one recurrent cell; subclasses say what the cell is.

    Each expert i has a hidden state h_i and a message m_i. At every inner step it reads
    x_i = [mean of the messages it hears ; error], updates h_i, and emits [m_i ; o_i] = W_o h_i + b_o.

    Args:
        hidden: size H of the hidden state.
        message: size M of the message.
        initial_noise: h starts as N(0, initial_noise**2), the experts' only difference; m starts at 0.

    All weights start at U[-1/sqrt(H), 1/sqrt(H)], as `torch.nn.GRUCell` and `torch.nn.Linear` do.
    Source: the 2020 study, whose inner equations are open; the input and the head are reconstructed.
    """

    hidden: Size = 32
    message: Size = 8
    initial_noise: NonNegative = 1.0

    @abstractmethod
    def cell_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """The shapes of the cell's weights, by name, for an input of `inputs` numbers."""

    @abstractmethod
    def cell(
        self,
        parameters: Parameters,
        x: Float[Tensor, "population row input"],
        h: Float[Tensor, "population row hidden"],
    ) -> Float[Tensor, "population row hidden"]:
        """The next hidden state of every expert; a row is one expert of one game."""

    def activity(self, h: Float[Tensor, "population row hidden"]) -> Float[Tensor, "population row hidden"]:
        """What the head reads of the hidden state: all of it, unless a cell keeps its output apart."""
        return h

    def initial_parameters(self, dims: int, inputs: int, experts: int, generator: torch.Generator) -> Parameters:
        head = {"weight_out": (self.message + dims, self.hidden), "bias_out": (self.message + dims,)}
        return uniform(self.cell_shapes(inputs=self.message + 1) | head, self.hidden, generator)

    def initial_state(self, games: int, experts: int, generator: torch.Generator) -> State:
        device = generator.device
        noise = torch.randn(games, experts, self.hidden, generator=generator, device=device)
        return {"h": noise.mul_(self.initial_noise), "m": torch.zeros(games, experts, self.message, device=device)}

    def step(
        self,
        parameters: Parameters,
        adjacency: Float[Tensor, "population expert expert"],
        state: State,
        observation: Observation,
    ) -> tuple[State, Float[Tensor, "population game expert dim"]]:
        h, m = state["h"], state["m"]
        population, games, experts, _ = h.shape
        x = self.input(parameters, adjacency, m, observation.error)
        h = self.cell(parameters, x, h.reshape(population, games * experts, -1)).view(population, games, experts, -1)
        emitted = self._emitted(parameters, h)
        return {"h": h, "m": emitted[..., : self.message]}, emitted[..., self.message :]

    def input(
        self,
        parameters: Parameters,
        adjacency: Float[Tensor, "population expert expert"],
        messages: Float[Tensor, "population game expert message"],
        error: Float[Tensor, "population game"],
    ) -> Float[Tensor, "population row input"]:
        """x of every expert: the mean of the messages it hears, and the error.

        Architectures that know their experts apart, or learn whom they hear, read that from the weights.
        """
        heard = torch.matmul(adjacency[:, None], messages)
        seen = error[:, :, None, None].expand(*heard.shape[:3], 1)
        return torch.cat([heard, seen], dim=-1).flatten(1, 2)

    def messages(
        self, parameters: Parameters, h: Float[Tensor, "population game expert hidden"]
    ) -> Float[Tensor, "population game expert message"]:
        """What every expert sends in a state that `step` gave."""
        return self._emitted(parameters, h)[..., : self.message]

    def outputs(self, parameters: Parameters, state: State) -> Float[Tensor, "population game expert dim"]:
        return self._emitted(parameters, state["h"])[..., self.message :]

    def _emitted(
        self, parameters: Parameters, h: Float[Tensor, "population game expert hidden"]
    ) -> Float[Tensor, "population game expert emitted"]:
        """[m ; o] of every expert."""
        rows = self.activity(h.flatten(1, 2))
        return affine(rows, parameters["weight_out"], parameters["bias_out"]).view(*h.shape[:3], -1)
