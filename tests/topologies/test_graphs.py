"""Properties that every draw has, and the distribution that random draws follow."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from badger_sweeps.topologies.base import mixing
from badger_sweeps.topologies.disconnected import Disconnected
from badger_sweeps.topologies.random import RandomLinks


@given(st.integers(2, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))), st.integers(0, 2**32))
def test_random_gives_everyone_k_others(sizes: tuple[int, int], seed: int) -> None:
    experts, links = sizes
    graph = RandomLinks(experts=experts, links=links).draw(torch.Generator().manual_seed(seed))
    assert (graph.sum(1) == links).all()
    assert not graph.diagonal().any()


def test_random_sources_are_uniform() -> None:
    """Expert 0's pairs of sources among 4 others: 6 equally likely pairs, chi-square at 3000 draws."""
    generator = torch.Generator().manual_seed(0)
    topology = RandomLinks(experts=5, links=2)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(3000):
        pair = tuple(topology.draw(generator)[0].nonzero().flatten().tolist())
        counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 0.001


def test_disconnected_experts_hear_nothing() -> None:
    graph = Disconnected(experts=3).draw(torch.Generator())
    assert not graph.any()
    assert torch.equal(mixing(graph), torch.zeros(3, 3))


def test_mixing_averages_over_in_links() -> None:
    graph = torch.tensor([[False, True, True], [True, False, False], [False, False, False]])
    assert mixing(graph).tolist() == [[0, 0.5, 0.5], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("links", [3, 4])
def test_links_must_be_below_experts(links: int) -> None:
    with pytest.raises(ValueError, match="must be below"):
        RandomLinks(experts=3, links=links)
