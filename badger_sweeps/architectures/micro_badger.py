"""Micro-Badger: experts that share their weights, have private states, and send messages along a graph."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.architectures.linear import affine, uniform
from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.settings import NonNegative, Size, settings


@settings
class MicroBadger(Architecture):
    """E experts that share one recurrent cell, which subclasses define.

    Each expert i has a hidden state h_i and a message m_i. At every inner step it reads
    x_i = [mean of the messages it receives ; error], updates h_i, and emits [m_i ; o_i] = W_o h_i + b_o.

    Args:
        hidden: size H of the hidden state.
        message: size M of the message.
        initial_noise: standard deviation of the normal distribution from which h starts, the only difference between
            experts; m starts at 0.

    All weights start from U[-1/sqrt(H), 1/sqrt(H)], as `torch.nn.GRUCell` and `torch.nn.Linear` do.
    Source: the document, which leaves the inner equations open; the input and the head are reconstructed.
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
        """The output of the cell, which the head reads: the hidden state, unless a subclass overrides this."""
        return h

    def initial_parameters(self, dims: int, inputs: int, experts: int, generator: torch.Generator) -> Parameters:
        head = {"weight_out": (self.message + dims, self.hidden), "bias_out": (self.message + dims,)}
        return uniform(self.cell_shapes(inputs=self.message + 1) | head, self.hidden, generator)

    def initial_state(self, games: int, experts: int, random: RandomBatches) -> State:
        noise = random.normal(games, experts, self.hidden)  # the native kernel knows this line (`engines.native.cells`)
        return {"h": noise.mul_(self.initial_noise), "m": noise.new_zeros(len(random), games, experts, self.message)}

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
        """x of every expert: the mean of the messages it receives, and the error.

        Subclasses may add inputs that identify an expert, or learned weights of edges; `parameters` has their weights.
        """
        received = torch.matmul(adjacency[:, None], messages)
        error_column = error[:, :, None, None].expand(*received.shape[:3], 1)
        return torch.cat([received, error_column], dim=-1).flatten(1, 2)

    def messages(
        self, parameters: Parameters, h: Float[Tensor, "population game expert hidden"]
    ) -> Float[Tensor, "population game expert message"]:
        """The messages that the experts send in a state that `step` returned."""
        return self._emitted(parameters, h)[..., : self.message]

    def outputs(self, parameters: Parameters, state: State) -> Float[Tensor, "population game expert dim"]:
        return self._emitted(parameters, state["h"])[..., self.message :]

    def _emitted(
        self, parameters: Parameters, h: Float[Tensor, "population game expert hidden"]
    ) -> Float[Tensor, "population game expert emitted"]:
        """[m ; o] of every expert."""
        rows = self.activity(h.flatten(1, 2))
        return affine(rows, parameters["weight_out"], parameters["bias_out"]).view(*h.shape[:3], -1)
