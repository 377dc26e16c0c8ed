"""The families of graphs: properties that every draw has, and the distributions that random draws follow."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from math import comb

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import binomtest, chisquare
from torch import Tensor

from badger_sweeps.core.settings import explain
from badger_sweeps.topologies.base import Topology, adjacency, from_networkx
from badger_sweeps.topologies.complete import Complete
from badger_sweeps.topologies.directed_ring import DirectedRing
from badger_sweeps.topologies.disconnected import Disconnected
from badger_sweeps.topologies.erdos_renyi import ErdosRenyi
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.topologies.ring import Ring
from badger_sweeps.topologies.small_world import SmallWorld
from badger_sweeps.topologies.star import Star
from badger_sweeps.topologies.strongly_connected import StronglyConnected, _probability_all_send
from tests.choices import choices_of, small

SIZES = st.integers(2, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1)))
SEEDS = st.integers(0, 2**32)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sources(graph: Tensor) -> list[set[int]]:
    """Whom each expert listens to."""
    return [set(row.nonzero().flatten().tolist()) for row in graph]


def receivers_graph(graph: Tensor) -> nx.DiGraph:
    """As networkx has it: edges from sender to receiver."""
    return nx.from_numpy_array(graph.T.numpy().astype(int), create_using=nx.DiGraph)


@pytest.mark.parametrize("choice", choices_of("topology"))
def test_every_draw_is_a_graph_of_the_experts_and_follows_from_the_stream(choice: str) -> None:
    topology = small("topology", choice)
    first, second, other = (topology.draw(stream(seed)) for seed in (1, 1, 2))
    assert first.shape == (topology.experts, topology.experts)
    assert not first.diagonal().any()
    assert torch.equal(first, second)
    if choice in ("ring", "directed_ring", "complete", "star", "disconnected", "single", "file"):
        assert torch.equal(first, other)
    if choice in ("random", "strongly_connected", "small_world", "erdos_renyi"):
        assert any(not torch.equal(first, topology.draw(stream(seed))) for seed in range(2, 9))


@given(SIZES, SEEDS)
def test_random_gives_everyone_k_others(sizes: tuple[int, int], seed: int) -> None:
    experts, links = sizes
    graph = RandomLinks(experts=experts, links=links).draw(stream(seed))
    assert (graph.sum(1) == links).all()
    assert not graph.diagonal().any()


def test_random_sources_are_uniform() -> None:
    """Expert 0's pairs of sources among 4 others: 6 equally likely pairs, chi-square at 3000 draws."""
    generator = stream()
    topology = RandomLinks(experts=5, links=2)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(3000):
        pair = tuple(topology.draw(generator)[0].nonzero().flatten().tolist())
        counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 0.001


@pytest.mark.parametrize(("experts", "links", "share"), [(16, 4, 0.84), (14, 3, 0.61), (8, 2, 0.35), (4, 1, 6 / 81)])
def test_how_often_random_graphs_are_strongly_connected(experts: int, links: int, share: float) -> None:
    """The published shares, given to two digits (the last is (n-1)!/(n-1)^n); 2000 draws, p > 0.001 at their edge."""
    topology, generator = RandomLinks(experts=experts, links=links), stream()
    hits = sum(nx.is_strongly_connected(receivers_graph(topology.draw(generator))) for _ in range(2000))
    rounding = 0 if links == 1 else 0.005
    low, high = (binomtest(hits, 2000).proportion_ci(0.999)[side] for side in (0, 1))
    assert low <= share + rounding
    assert high >= share - rounding


@given(st.integers(2, 16).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))), SEEDS)
@settings(deadline=None, max_examples=60)
def test_strongly_connected_graphs_are(sizes: tuple[int, int], seed: int) -> None:
    experts, links = sizes
    graph = StronglyConnected(experts=experts, links=links).draw(stream(seed))
    assert (graph.sum(1) == links).all()
    assert nx.is_strongly_connected(receivers_graph(graph))


def test_being_heard_is_not_enough() -> None:
    """8 % of the graphs of 12 experts and two links in which every expert sends are not strongly connected: 200 draws
    without any would happen once in 10 million if the check were missing."""
    topology, generator = StronglyConnected(experts=12, links=2), stream()
    assert all(nx.is_strongly_connected(receivers_graph(topology.draw(generator))) for _ in range(200))


@pytest.mark.parametrize(("experts", "links"), [(4, 2), (5, 3), (12, 2), (41, 2)])
def test_the_share_in_which_all_experts_send_is_exact(experts: int, links: int) -> None:
    """In whole numbers: matrices with `links` ones a row, a zero diagonal and no empty column. What is refused rests on
    it."""
    count = sum(
        (-1) ** j * comb(experts, j) * comb(experts - j, links) ** j * comb(experts - 1 - j, links) ** (experts - j)
        for j in range(experts)
    )
    expected = Fraction(count, comb(experts - 1, links) ** experts)
    assert _probability_all_send(experts, links) == pytest.approx(float(expected), rel=1e-7)


def strongly_connected_graphs(experts: int, links: int) -> list[tuple[frozenset[int], ...]]:
    """All of them, found by trying every choice of sources."""
    options = [
        [frozenset(chosen) for chosen in combinations([j for j in range(experts) if j != i], links)]
        for i in range(experts)
    ]
    graphs = []
    for chosen in product(*options):
        edges = [(sender, receiver) for receiver, senders in enumerate(chosen) for sender in senders]
        if nx.is_strongly_connected(nx.DiGraph(edges)):
            graphs.append(chosen)
    return graphs


@pytest.mark.parametrize(("experts", "links", "count"), [(4, 1, 6), (5, 1, 24), (4, 2, None)])
def test_strongly_connected_draws_are_unbiased(experts: int, links: int, count: int | None) -> None:
    """Every such graph is equally likely: chi-square over all of them, (n-1)! Hamiltonian cycles for one link."""
    every = strongly_connected_graphs(experts, links)
    assert count is None or len(every) == count
    topology, generator = StronglyConnected(experts=experts, links=links), stream()
    counts = dict.fromkeys(every, 0)
    for _ in range(30 * len(every)):
        counts[tuple(frozenset(heard) for heard in sources(topology.draw(generator)))] += 1
    assert chisquare(list(counts.values())).pvalue > 0.001


def test_one_link_is_a_directed_hamiltonian_cycle() -> None:
    graph = StronglyConnected(experts=500, links=1).draw(stream())
    seen, expert = [], 0
    for _ in range(500):
        seen.append(expert)
        (expert,) = sources(graph)[expert]
    assert sorted(seen) == list(range(500))
    assert expert == 0


def test_rings_stars_and_the_rest() -> None:
    assert sources(Ring(experts=4).draw(stream())) == [{1, 3}, {0, 2}, {1, 3}, {0, 2}]
    assert sources(DirectedRing(experts=4).draw(stream())) == [{3}, {0}, {1}, {2}]
    assert sources(DirectedRing(experts=2).draw(stream())) == [{1}, {0}]
    assert sources(Star(experts=4).draw(stream())) == [{1, 2, 3}, {0}, {0}, {0}]
    assert sources(Complete(experts=3).draw(stream())) == [{1, 2}, {0, 2}, {0, 1}]
    assert sources(Complete(experts=1).draw(stream())) == [set()]
    assert sources(Disconnected(experts=3).draw(stream())) == [set(), set(), set()]


@given(st.integers(3, 20), st.integers(1, 4), st.floats(0, 1), SEEDS)
@settings(deadline=None)
def test_small_worlds_keep_their_number_of_links(experts: int, half: int, rewiring: float, seed: int) -> None:
    if 2 * half >= experts:
        return
    graph = SmallWorld(experts=experts, links=2 * half, rewiring=rewiring).draw(stream(seed))
    assert int(graph.sum()) == experts * 2 * half
    assert torch.equal(graph, graph.T)


def test_a_small_world_without_rewiring_is_a_ring_of_neighbourhoods() -> None:
    graph = SmallWorld(experts=9, links=4, rewiring=0.0).draw(stream())
    assert sources(graph) == [{(i + step) % 9 for step in (-2, -1, 1, 2)} for i in range(9)]


def test_small_world_rewires_the_share_it_says() -> None:
    """Of 400 pairs each is moved with probability 0.3, and lands on a pair of the ring again in about 1 of 100 cases
    (4 of 199 places are its own neighbourhood): 3 standard deviations of the binomial and that share are allowed."""
    ring = SmallWorld(experts=200, links=4, rewiring=0.0).draw(stream())
    moved = [
        int((ring & ~SmallWorld(experts=200, links=4, rewiring=0.3).draw(stream(seed))).sum()) / 2 for seed in range(10)
    ]
    assert np.mean(moved) == pytest.approx(120, abs=3 * (400 * 0.3 * 0.7 / 10) ** 0.5 + 0.02 * 120)


def test_erdos_renyi_links_are_independent_and_equally_likely() -> None:
    """Over 2000 graphs of 4 experts with 1.5 mean links (p = 1/2) all 2^12 graphs are equally likely; tested for each
    of the 12 links and the number of links, which is binomial(12, 1/2)."""
    topology, generator = ErdosRenyi(experts=4, links=1.5), stream()
    graphs = torch.stack([topology.draw(generator) for _ in range(2000)])
    assert topology.probability == 0.5
    for i, j in product(range(4), range(4)):
        hits = int(graphs[:, i, j].sum())
        assert hits == 0 if i == j else binomtest(hits, 2000, 0.5).pvalue > 0.001
    totals = np.bincount(graphs.sum((1, 2)).numpy(), minlength=13)
    expected = [2000 * np.prod([(12 - m) / (m + 1) for m in range(k)]) / 2**12 for k in range(13)]
    pooled = [np.array([part[:4].sum(), *part[4:9], part[9:].sum()]) for part in (totals, np.array(expected))]
    assert chisquare(*pooled).pvalue > 0.001


def test_edges_run_from_sender_to_receiver() -> None:
    assert sources(from_networkx(nx.DiGraph([(0, 1), (1, 2)]))) == [set(), {0}, {1}]
    assert sources(from_networkx(nx.Graph([(0, 1)]))) == [{1}, {0}]


def test_disconnected_experts_hear_nothing() -> None:
    graph = Disconnected(experts=3).draw(torch.Generator())
    assert not graph.any()
    assert torch.equal(adjacency(graph), torch.zeros(3, 3))


def test_mixing_averages_over_in_links() -> None:
    graph = torch.tensor([[False, True, True], [True, False, False], [False, False, False]])
    assert adjacency(graph).tolist() == [[0, 0.5, 0.5], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("family", "settings_", "line"),
    [
        (RandomLinks, {"experts": 3, "links": 3}, "`topology.links` must be below `topology.experts`; found links=3,"),
        (StronglyConnected, {"experts": 3, "links": 4}, "`topology.links` must be below `topology.experts`; found lin"),
        (StronglyConnected, {"experts": 1, "links": 1}, "`topology.experts` must be at least 2; found 1."),
        (
            StronglyConnected,
            {"experts": 42, "links": 2},
            "`topology.links` must be enough for `topology.experts`: fewer than 1 in 1000 such graphs are strongly "
            "connected; found links=2, experts=42.",
        ),
        (SmallWorld, {"experts": 4, "links": 4}, "`topology.links` must be below `topology.experts`; found links=4,"),
        (SmallWorld, {"links": 3}, "`topology.links` must be a multiple of 2; found 3."),
        (SmallWorld, {"rewiring": 1.5}, "`topology.rewiring` must be at most 1.0; found 1.5."),
        (
            ErdosRenyi,
            {"experts": 4, "links": 3.5},
            "`topology.links` must be at most `topology.experts` - 1; found lin",
        ),
        (Ring, {"experts": 2}, "`topology.experts` must be at least 3; found 2."),
        (DirectedRing, {"experts": 1}, "`topology.experts` must be at least 2; found 1."),
        (Star, {"experts": 1}, "`topology.experts` must be at least 2; found 1."),
    ],
)
def test_what_cannot_be_is_refused(family: type[Topology], settings_: dict[str, float], line: str) -> None:
    with pytest.raises(ValidationError) as refused:
        family(**settings_)
    assert explain(refused.value, "topology").startswith(line)
