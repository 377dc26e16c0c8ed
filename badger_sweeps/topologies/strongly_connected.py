"""Random graphs of in-degree k that are strongly connected: a path leads from every expert to every other."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from jaxtyping import Bool
from pydantic import Field, model_validator
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from badger_sweeps.core.settings import Size, broken_rule, settings
from badger_sweeps.topologies.base import MOST_EXPERTS, Topology
from badger_sweeps.topologies.random import random_links

MOST_DRAWS = 1000
"""Expected draws per graph above which the settings are refused; a draw with hundreds of experts takes 10 ms."""


@settings
class StronglyConnected(Topology):
    """Uniform over all strongly connected graphs in which every expert has in-degree `links`.

    With in-degree 1 such a graph is a directed Hamiltonian cycle, and one is drawn. Otherwise graphs of `random` are
    drawn until one is strongly connected, which is unbiased. At 16 experts this takes 1.2 draws for in-degree 4, and 12
    for 2. Most graphs fail because an expert has out-degree 0, so that the number of draws grows exponentially with E:
    in-degree 2 is possible up to 41 experts, 3 up to 128, 4 up to 367, 5 up to 1016.

    Args:
        experts: E.
        links: in-degree of every expert.
    """

    experts: Annotated[int, Field(ge=2, le=MOST_EXPERTS)] = 16
    links: Size = 4

    @model_validator(mode="after")
    def _possible(self) -> StronglyConnected:
        if self.links >= self.experts:
            raise broken_rule("links", "must be below {experts}", links=self.links, experts=self.experts)
        if self.links > 1 and _probability_all_send(self.experts, self.links) * MOST_DRAWS < 1:
            rule = f"must be enough for {{experts}}: fewer than 1 in {MOST_DRAWS} such graphs are strongly connected"
            raise broken_rule("links", rule, links=self.links, experts=self.experts)
        return self

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        if self.links == 1:
            return _cycle(self.experts, generator)
        while True:
            graph = random_links(self.experts, self.links, generator)
            all_send = bool(graph.any(0).all())  # necessary, and quicker to check
            if all_send and connected_components(graph.numpy(), connection="strong")[0] == 1:
                return graph


def _probability_all_send(experts: int, links: int) -> float:
    """The probability that no expert has out-degree 0 in a graph of `random_links`, by inclusion and exclusion.

    If j given experts send to none, each of them draws its senders from n - j experts, and each other from n - 1 - j.
    """
    n, k = experts, links
    expected = n * (1 - k / (n - 1)) ** (n - 1)
    if expected > 10:  # the probability is almost 0, and the alternating sum below would cancel
        return 0.0
    total = 0.0
    for j in range(n - k):
        log_silent, log_other = (_log_comb(size, k) - _log_comb(n - 1, k) for size in (n - j, n - 1 - j))
        term = math.exp(_log_comb(n, j) + j * log_silent + (n - j) * log_other)
        total += -term if j % 2 else term
        if j > expected and term < 1e-12:
            break
    return total


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _cycle(experts: int, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
    """Each expert receives messages from the one before it in a random order."""
    order = torch.randperm(experts, generator=generator)
    graph = torch.zeros(experts, experts, dtype=torch.bool)
    graph[order, order.roll(1)] = True
    return graph
