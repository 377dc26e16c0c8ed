"""Whole training in PyTorch: batched products over members, autograd, `torch.optim.Adam`; eager or compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from badger_sweeps.training.experiment import Experiment
from badger_sweeps.training.population import Population
from benchmarks.contestants import Case, Turns
from benchmarks.workloads import SIZES, Size, experiment

Losses = Callable[[Mapping[str, Tensor], Tensor, Tensor, Mapping[str, Tensor]], Tensor]


def losses_of(size: Size) -> Losses:
    """The loss of each member: a function of weights, adjacency, targets and initial states, all with a member axis."""

    def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.baddbmm(bias[:, None], x, weight.mT)

    def gates(w: Mapping[str, Tensor], x: Tensor, h: Tensor) -> Tensor:
        return linear(x, w["weight_ih"], w["bias_ih"]) + linear(h, w["weight_hh"], w["bias_hh"])

    def badger(w: Mapping[str, Tensor], adjacency: Tensor, targets: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        members, games = targets.shape[:2]
        h, m, guess = state["h"].flatten(1, 2), state["m"], torch.zeros_like(targets)
        for _ in range(size.steps):
            error = 3 * (guess - targets).square().mean(dim=-1)
            shown = error[:, :, None, None].expand(members, games, size.experts, 1)
            x = torch.cat([adjacency[:, None] @ m, shown], dim=-1).flatten(1, 2)
            z, v = gates(w, x, h).chunk(2, dim=-1)
            z, v = torch.sigmoid(z), torch.tanh(v)
            h = z * h + (1 - z) * v
            out = linear(h, w["weight_out"], w["bias_out"]).view(members, games, size.experts, -1)
            m, guess = out[..., : size.message], out[..., size.message :].mean(dim=2)
        return 3 * (guess - targets).square().mean(dim=(1, 2))

    def lstm(w: Mapping[str, Tensor], adjacency: Tensor, targets: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        h, c, guess = state["h"], state["c"], torch.zeros_like(targets)
        for _ in range(size.steps):
            error = 3 * (guess - targets).square().mean(dim=-1, keepdim=True)
            i, f, g, o = gates(w, torch.cat([guess, error], dim=-1), h).chunk(4, dim=-1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            guess = linear(h, w["weight_out"], w["bias_out"])
        return 3 * (guess - targets).square().mean(dim=(1, 2))

    return badger if size.message else lstm


class Training:
    """A population in training.

    Args:
        size: the shape of the inner loop.
        setup: gives the members' initial weights and graphs, and the settings of Adam and of clipping.
        losses: the function of `losses_of`, or that function compiled.
    """

    def __init__(self, size: Size, setup: Experiment, losses: Losses) -> None:
        population = Population(setup)
        self.weights = {name: tensor.clone().requires_grad_() for name, tensor in population.parameters.items()}
        self._size, self._losses, self._adjacency = size, losses, population.objective.adjacency
        self._members, self._clip_norm = len(setup.seeds), setup.training.clip_norm
        adam = setup.optimizer
        self._optimizer = torch.optim.Adam(
            self.weights.values(), lr=adam.lr, betas=(adam.beta1, adam.beta2), eps=adam.eps, fused=True
        )
        self._generator = torch.Generator().manual_seed(0)

    def draw(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Targets and initial states of a batch of every member."""
        size, batch = self._size, (self._members, self._size.games)
        targets = torch.rand(*batch, size.dims, generator=self._generator) * 2 - 1
        if not size.message:
            zeros = torch.zeros(*batch, size.hidden)
            return targets, {"h": zeros, "c": zeros}
        h = torch.randn(*batch, size.experts, size.hidden, generator=self._generator)
        return targets, {"h": h, "m": torch.zeros(*batch, size.experts, size.message)}

    def gradients(self, targets: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        """Compute the gradients of all weights, and return the losses."""
        self._optimizer.zero_grad()
        losses = self._losses(self.weights, self._adjacency, targets, state)
        losses.sum().backward()
        return losses.detach()

    def update(self, targets: Tensor, state: Mapping[str, Tensor]) -> Tensor:
        """One outer iteration on given games; returns the losses before it."""
        losses = self.gradients(targets, state)
        gradients = [weight.grad for weight in self.weights.values()]
        norms = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0).sqrt()
        scale = (self._clip_norm / (norms + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(scale.view(-1, *(1 for _ in gradient.shape[1:])))
        self._optimizer.step()
        return losses


def compete(case: Case, turns: Turns) -> None:
    """Train iteration by iteration. Option ``compile``: `torch.compile` compiles the losses and their gradient."""
    torch.set_num_threads(case.threads)
    size = SIZES[case.size]
    compiled = case.options.get("compile", False)
    losses = torch.compile(losses_of(size), dynamic=False) if compiled else losses_of(size)
    training = Training(size, experiment(size, case.members), losses)
    began = time.perf_counter()
    if compiled:
        training.gradients(*training.draw())
    turns.ready(compilation=time.perf_counter() - began if compiled else 0.0)
    found: list[np.ndarray] = []
    while iterations := turns.wait():
        found += [training.update(*training.draw()).numpy() for _ in range(iterations)]
        if len(found) >= case.iterations:
            break
    turns.end(np.stack(found))
