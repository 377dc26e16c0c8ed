"""`topology.json`: the edges of each seed's graph and its connectivity measures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from badger_sweeps.core.files import reading, write_json
from badger_sweeps.topologies.connectivity import Connectivity, connectivity
from badger_sweeps.training.experiment import Experiment

GRAPHS_FILE = "topology.json"
Links = tuple[tuple[int, int], ...]
"""The edges of a graph: pairs of sender and receiver."""


def write_graphs(folder: Path, experiment: Experiment) -> None:
    """Write every seed's graph and its connectivity measures into the run's folder.

    Edges are pairs ``[sender, receiver]``.
    """
    graphs = []
    for seed, graph in zip(experiment.seeds, experiment.graphs, strict=True):
        pairs = [[sender, receiver] for receiver, sender in graph.nonzero().tolist()]
        graphs.append({"seed": seed, **connectivity(graph)._asdict(), "pairs": pairs})
    write_json(folder / GRAPHS_FILE, graphs)


def read_links(folder: Path) -> Mapping[int, Links]:
    """By seed, the edges of its graph, read from the `topology.json` of a run's folder."""
    with reading(folder / GRAPHS_FILE):
        graphs = json.loads((folder / GRAPHS_FILE).read_text())
        return {graph["seed"]: tuple((sender, receiver) for sender, receiver in graph["pairs"]) for graph in graphs}


def adjacency(experts: int, links: Links) -> Bool[Tensor, "expert expert"]:
    """The graph with these edges, as `Topology.draw` returns one: row i has the experts from which i receives."""
    graph = torch.zeros(experts, experts, dtype=torch.bool)
    for sender, receiver in links:
        graph[receiver, sender] = True
    return graph


def read_connectivity(folder: Path) -> Mapping[int, Connectivity]:
    """By seed, the connectivity measures of its graph, read from the `topology.json` of a run's folder."""
    with reading(folder / GRAPHS_FILE):
        graphs = json.loads((folder / GRAPHS_FILE).read_text())
        return {graph["seed"]: Connectivity(*(graph[name] for name in Connectivity._fields)) for graph in graphs}
