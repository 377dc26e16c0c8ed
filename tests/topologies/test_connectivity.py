"""Spectra of graphs against closed forms and networkx."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from badger_sweeps.runs.graphs import adjacency
from badger_sweeps.topologies.base import from_networkx
from badger_sweeps.topologies.complete import Complete
from badger_sweeps.topologies.connectivity import connectivity, laplacian_spectrum
from badger_sweeps.topologies.directed_ring import DirectedRing
from badger_sweeps.topologies.disconnected import Disconnected
from badger_sweeps.topologies.ring import Ring
from badger_sweeps.topologies.star import Star

NOBODY = torch.Generator()
NS = [3, 4, 7, 16]


@pytest.mark.parametrize("n", [2, *NS])
def test_complete(n: int) -> None:
    found = connectivity(Complete(experts=n).draw(NOBODY))
    assert found == pytest.approx((n, n * (n - 1), True, n, n, 1))


@pytest.mark.parametrize("n", NS)
def test_star(n: int) -> None:
    found = connectivity(Star(experts=n).draw(NOBODY))
    assert found == pytest.approx((n, 2 * (n - 1), True, 1, 1, n))


@pytest.mark.parametrize("n", NS)
def test_ring(n: int) -> None:
    found = connectivity(Ring(experts=n).draw(NOBODY))
    rate = 2 * (1 - math.cos(2 * math.pi / n))
    largest = max(2 * (1 - math.cos(2 * math.pi * k / n)) for k in range(n))
    assert found == pytest.approx((n, 2 * n, True, rate, rate, largest / rate))


@pytest.mark.parametrize("n", NS)
def test_path(n: int) -> None:
    found = connectivity(from_networkx(nx.path_graph(n)))
    rate = 2 * (1 - math.cos(math.pi / n))
    assert (found.consensus_rate, found.algebraic_connectivity) == pytest.approx((rate, rate))


@pytest.mark.parametrize("n", NS)
def test_directed_ring(n: int) -> None:
    found = connectivity(DirectedRing(experts=n).draw(NOBODY))
    rate = 1 - math.cos(2 * math.pi / n)
    assert found[:5] == pytest.approx((n, n, True, rate, rate))
    assert found.eigenratio is None
    assert n != 16 or rate == pytest.approx(0.07612, abs=5e-6)


def test_disconnected_and_alone() -> None:
    assert connectivity(Disconnected(experts=3).draw(NOBODY)) == (3, 0, False, 0, pytest.approx(0), None)
    assert connectivity(Disconnected(experts=1).draw(NOBODY)) == (1, 0, True, None, None, None)


@pytest.mark.parametrize("n", [2, 5, 16, 40])
def test_a_chain_of_listeners_is_exact(n: int) -> None:
    """Expert 0 hears nobody and every other the one before it: L has the eigenvalue 1 n - 1 times with a single
    eigenvector, so that its numerical spectrum is off by eps^(1/(n-1)), which is 0.4 for n = 40."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    found = connectivity(from_networkx(nx.path_graph(n, create_using=nx.DiGraph))[order][:, order])
    assert (found.edges, found.strongly_connected, found.consensus_rate) == (n - 1, False, 1)


def test_two_groups_that_hear_nobody_else_never_agree() -> None:
    graph = from_networkx(nx.DiGraph([(0, 1), (1, 0), (2, 3), (3, 2), (0, 4), (2, 4)]))
    assert connectivity(graph).consensus_rate == 0


def test_unbalanced_graphs_may_have_negative_algebraic_connectivity() -> None:
    """Two pairs in which one expert listens to the other: each pair's x'Lx is the form x^2 - xy, whose smallest
    eigenvalue is (1 - sqrt(2))/2; taken with opposite signs in the two pairs it is orthogonal to 1."""
    found = connectivity(from_networkx(nx.DiGraph([(0, 1), (2, 3)])))
    assert found.algebraic_connectivity == pytest.approx((1 - math.sqrt(2)) / 2)
    assert found.consensus_rate == 0


@given(st.integers(2, 15), st.floats(0.05, 0.9), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=80)
def test_undirected_graphs_against_networkx(n: int, p: float, seed: int) -> None:
    graph = nx.gnp_random_graph(n, p, seed=seed)
    found = connectivity(from_networkx(graph))
    spectrum = np.sort(nx.laplacian_spectrum(graph))
    assert found.edges == 2 * graph.number_of_edges()
    assert found.strongly_connected == nx.is_connected(graph)
    assert found.consensus_rate == pytest.approx(spectrum[1], abs=1e-9)
    assert found.algebraic_connectivity == pytest.approx(spectrum[1], abs=1e-9)
    if nx.is_connected(graph):
        assert found.eigenratio == pytest.approx(spectrum[-1] / spectrum[1])
    else:
        assert found.eigenratio is None


def exact_rate(laplacian: NDArray[np.float64]) -> float:
    """From the roots of the characteristic polynomial, whose coefficients and factors are exact."""
    polynomial = sympy.Matrix(laplacian.astype(int)).charpoly()
    real = [
        float(sympy.re(root))
        for factor, times in polynomial.sqf_list()[1]
        for root in sympy.Poly(factor).nroots(n=30, maxsteps=500)
        for _ in range(times)
    ]
    return sorted(real)[1]


@given(st.integers(2, 8), st.floats(0.05, 0.9), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_directed_graphs_against_their_definitions(n: int, p: float, seed: int) -> None:
    """The whole spectrum at once; Wu's minimum is not above any quotient x'Lx/x'x, and is one of them."""
    graph = nx.gnp_random_graph(n, p, seed=seed, directed=True)
    adjacency = nx.to_numpy_array(graph).T
    laplacian = np.diag(adjacency.sum(1)) - adjacency
    found = connectivity(from_networkx(graph))
    assert found.strongly_connected == nx.is_strongly_connected(graph)
    assert found.consensus_rate == pytest.approx(exact_rate(laplacian), abs=1e-9)
    x = np.random.default_rng(seed).normal(size=(200, n))
    x -= x.mean(1, keepdims=True)
    quotients = np.einsum("si,ij,sj->s", x, laplacian, x) / (x**2).sum(1)
    assert found.algebraic_connectivity is not None
    assert found.algebraic_connectivity <= quotients.min() + 1e-9
    symmetric = (laplacian + laplacian.T) / 2
    centred = symmetric - np.outer(np.ones(n), symmetric.mean(0)) - np.outer(symmetric.mean(1), np.ones(n))
    centred += symmetric.mean() + 1e3 * np.ones((n, n)) / n  # the constant direction is moved out of the way
    assert found.algebraic_connectivity == pytest.approx(np.linalg.eigvalsh(centred)[0], abs=1e-9)


def test_a_spectrum_that_double_precision_gives_to_three_digits() -> None:
    """A group of experts with the eigenvalue 2 five times and fewer eigenvectors: (x - 2)^5 (x - 3) x."""
    edges = [(0, 1), (0, 4), (0, 5), (1, 5), (2, 1), (2, 5), (3, 1), (4, 5), (4, 6), (5, 3), (5, 4), (6, 2), (6, 5)]
    links = np.zeros((7, 7))
    links[tuple(zip(*edges, strict=True))] = 1
    laplacian = np.diag(links.sum(1)) - links
    assert sorted(np.linalg.eigvals(laplacian).real)[1] != pytest.approx(2, abs=1e-5)
    assert connectivity(torch.from_numpy(links > 0)).consensus_rate == pytest.approx(2, abs=1e-12)


@given(st.integers(2, 10), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_relabelling_changes_nothing(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    graph = torch.rand(n, n, generator=generator) < 0.4
    graph.fill_diagonal_(False)
    order = torch.randperm(n, generator=generator)
    first, second = connectivity(graph), connectivity(graph[order][:, order])
    assert first[:3] == second[:3]
    assert first.consensus_rate == pytest.approx(second.consensus_rate, abs=1e-9)
    assert first.algebraic_connectivity == pytest.approx(second.algebraic_connectivity, abs=1e-9)


@pytest.mark.parametrize("experts", [3, 8])
def test_spectra_of_rings_are_known(experts: int) -> None:
    """L of a directed ring has 1 - exp(2*pi*i*k/n), of a ring 2 - 2*cos(2*pi*k/n)."""
    ring = tuple((i, (i + 1) % experts) for i in range(experts))
    roots = np.sort_complex(1 - np.exp(2j * np.pi * np.arange(experts) / experts))
    np.testing.assert_allclose(laplacian_spectrum(adjacency(experts, ring)).real, roots.real, atol=1e-12)
    np.testing.assert_allclose(
        np.sort(laplacian_spectrum(adjacency(experts, ring)).imag), np.sort(roots.imag), atol=1e-12
    )
    both = ring + tuple((receiver, sender) for sender, receiver in ring)
    expected = nx.laplacian_spectrum(nx.cycle_graph(experts))
    np.testing.assert_allclose(laplacian_spectrum(adjacency(experts, both)).real, np.sort(expected), atol=1e-12)


def test_an_edge_adds_to_the_receivers_degree() -> None:
    """Expert 1 receives from 0 only: L = [[0, 0], [-1, 1]]. A star whose hub receives from three leaves: 3, 0, 0, 0."""
    assert laplacian_spectrum(adjacency(2, ((0, 1),))).tolist() == [0, 1]
    np.testing.assert_allclose(
        laplacian_spectrum(adjacency(4, ((1, 0), (2, 0), (3, 0)))).real, [0, 0, 0, 3], atol=1e-12
    )


@pytest.mark.parametrize("n", [5, 16])
def test_the_spectrum_of_a_chain_of_listeners_is_exact(n: int) -> None:
    """0 once and 1 n - 1 times, in agreement with the consensus rate; numerically off by eps^(1/(n-1))."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    chain = from_networkx(nx.path_graph(n, create_using=nx.DiGraph))[order][:, order]
    assert laplacian_spectrum(chain).tolist() == [0] + [1] * (n - 1)


@given(st.integers(2, 8), st.floats(0.05, 0.9), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_the_spectrum_contains_the_consensus_rate(n: int, p: float, seed: int) -> None:
    graph = from_networkx(nx.gnp_random_graph(n, p, seed=seed, directed=True))
    spectrum = laplacian_spectrum(graph)
    assert len(spectrum) == n
    assert spectrum.sum() == pytest.approx(int(graph.sum()), abs=1e-6)  # the trace
    assert sorted(spectrum.real)[1] == pytest.approx(connectivity(graph).consensus_rate, abs=1e-9)
