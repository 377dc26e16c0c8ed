"""The supervised baseline: an LSTM that reads the task's inputs and outputs the samples."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from badger_sweeps.architectures.base import Architecture, Observation
from badger_sweeps.architectures.linear import affine, uniform
from badger_sweeps.architectures.lstm import lstm_cell, lstm_shapes
from badger_sweeps.core.axes import Parameters, State
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.settings import Size, settings


@settings
class SupervisedLSTM(Architecture):
    """One LSTM layer that runs along the samples: at sample i it reads the task's inputs and outputs y_i.

    On the frequency task the inputs are the position x_i and the cosine and sine of the phase. It is no meta-learner:
    it reads no error and guesses once. The cell is exactly `torch.nn.LSTMCell` with a linear head; h and c start at 0.

    Args:
        hidden: size H of h and c (document: 64).

    Source: the document; the inputs are reconstructed.
    """

    single_agent: ClassVar[bool] = True
    supervised: ClassVar[bool] = True

    hidden: Size = 64

    def initial_parameters(self, dims: int, inputs: int, experts: int, generator: torch.Generator) -> Parameters:
        return uniform(lstm_shapes(inputs, 1, self.hidden), self.hidden, generator)

    def initial_state(self, games: int, experts: int, random: RandomBatches) -> State:
        return {}

    def step(
        self,
        parameters: Parameters,
        adjacency: Float[Tensor, "population expert expert"],
        state: State,
        observation: Observation,
    ) -> tuple[State, Float[Tensor, "population game expert dim"]]:
        inputs = observation.inputs
        population, games, _, _ = inputs.shape
        h = c = inputs.new_zeros(population, games, self.hidden)
        samples = []
        for x in inputs.unbind(dim=2):
            h, c = lstm_cell(parameters, x, h, c)
            samples.append(affine(h, parameters["weight_out"], parameters["bias_out"]))
        return state, torch.cat(samples, dim=2)[:, :, None]

    def outputs(self, parameters: Parameters, state: State) -> Float[Tensor, "population game expert dim"]:
        raise KeyError("h")  # there is one h for each sample, and the state holds none
