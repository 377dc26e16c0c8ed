"""The transiently chaotic neural network: annealing ends the chaos with which it explores at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from badger_sweeps.architectures.linear import affine
from badger_sweeps.architectures.micro_badger import MicroBadger
from badger_sweeps.core.axes import Parameters
from badger_sweeps.core.settings import Finite, settings


@settings
class TCNN(MicroBadger):
    """u <- k*u + (W_ih x + W_hh s + b) - z*(s - i0), with the neurons' output s = sigmoid(u) read by the head.

    The self-feedback z makes each neuron chaotic and is annealed over outer iterations: z(n) = z*(1 - beta)^n. It is
    the same for all neurons and experts, and constant within an iteration. An uncoupled neuron contracts while
    z < 4(1 + k) = 7.6, and with i0 = 0.65 has chaotic bands for z between about 15 and 21.7, with periodic windows in
    between (z = 20 lies in one); from z = 20 it leaves them at n = 0.29/beta and contracts after n = 0.97/beta. With
    i0 = 0.5 there is no chaos at any z up to 40.

    Args:
        k: damping of the membrane.
        z: self-feedback at iteration 0. 0 is the control without it.
        beta: rate at which z decays. With 2/iterations the second half of a run has no chaos; with 0 z is constant.
        i0: the output at which the self-feedback vanishes.

    Gradients grow like exp(T*lambda) with a Lyapunov exponent lambda up to 0.35: clip them.

    Source: Chen & Aihara 1995, their equations divided by epsilon (so z is their z/epsilon and the weights their
    alpha/epsilon). The document names the method and gives no equation: its use as Micro-Badger's cell, with state u
    instead of h, is reconstructed.
    """

    k: Finite = 0.9
    z: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 20.0
    beta: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.001
    i0: Finite = 0.65

    def cell_shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        return {
            "weight_ih": (self.hidden, inputs),
            "weight_hh": (self.hidden, self.hidden),
            "bias": (self.hidden,),
        }

    def cell(
        self,
        parameters: Parameters,
        x: Float[Tensor, "population row input"],
        h: Float[Tensor, "population row hidden"],
    ) -> Float[Tensor, "population row hidden"]:
        s = self.activity(h)
        driven = affine(x, parameters["weight_ih"], parameters["bias"]) + torch.bmm(s, parameters["weight_hh"].mT)
        return self.k * h + driven - self.z * (s - self.i0)

    def activity(self, h: Float[Tensor, "population row hidden"]) -> Float[Tensor, "population row hidden"]:
        return torch.sigmoid(h)

    def at(self, iteration: int) -> TCNN:
        return replace(self, z=self.z * (1 - self.beta) ** iteration, beta=0.0)

    def annealed(self) -> Mapping[str, float]:
        return {"z": self.z}
