"""A graph from a file."""

from __future__ import annotations

import warnings
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import torch
from jaxtyping import Bool
from pydantic import model_validator
from torch import Tensor

from badger_sweeps.core.settings import broken_rule, settings
from badger_sweeps.topologies.base import MOST_EXPERTS, Topology, from_networkx

READING_FAILS = (OSError, ValueError, TypeError, LookupError, Warning, ElementTree.ParseError, nx.NetworkXError)


@settings
class FromFile(Topology):
    """The graph in a file, the same for every seed. The file is read once, when the settings are made.

    Args:
        file: its path. ``.graphml`` is read as GraphML: an edge runs from sender to receiver, or both ways where the
            file says undirected, and experts are numbered in the order of its nodes. Anything else is text with a line
            ``SENDER RECEIVER`` for each edge, and comments after ``#``; experts are numbered in the order of their
            names, by value if all names are whole numbers. Weights are refused: messages are averaged.
    """

    file: str

    @model_validator(mode="after")
    def _holds_a_graph(self) -> FromFile:
        try:
            _check(self._graph)
        except READING_FAILS as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            found = " ".join(f"in `{self.file}`: {what}".split()).rstrip(".")
            raise broken_rule("file", "must hold a graph, as GraphML or as a list of edges", found) from None
        return self

    @cached_property
    def _graph(self) -> nx.Graph[Any]:
        path = Path(self.file)
        content = path.read_bytes()
        return (
            _from_graphml(content)
            if path.suffix.lower() == ".graphml"
            else _from_edge_list(content.decode("utf-8-sig"))
        )

    @property
    def experts(self) -> int:  # type: ignore[override]  # a property here, a setting everywhere else
        return self._graph.number_of_nodes()

    def draw(self, generator: torch.Generator) -> Bool[Tensor, "expert expert"]:
        return from_networkx(self._graph)


def _from_graphml(content: bytes) -> nx.Graph[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # networkx only warns of elements that it ignores
        graph = nx.read_graphml(BytesIO(content))
    if graph.is_multigraph():
        raise ValueError("an edge that is there twice")
    usual = graph.graph.get("edge_default", {}).get("weight", 1)
    for sender, receiver, weight in graph.edges(data="weight", default=usual):
        if float(weight) != 1:
            raise ValueError(f"the edge {sender} {receiver} has the weight {weight}")
    declared = sum(
        element.tag.endswith("}node") and "id" in element.attrib for element in ElementTree.fromstring(content).iter()
    )
    if declared != graph.number_of_nodes():
        raise ValueError(f"edges between {graph.number_of_nodes()} nodes of which {declared} are declared")
    return graph


def _from_edge_list(text: str) -> nx.DiGraph[Any]:
    edges: dict[tuple[str, str], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        names = line.partition("#")[0].split()
        if not names:
            continue
        if len(names) != 2:
            raise ValueError(f"line {number} is {line.strip()[:60]!r} and not a sender and a receiver")
        edge = (names[0], names[1])
        if edge in edges:
            raise ValueError(f"line {number} is the edge of line {edges[edge]} again")
        edges[edge] = number
    experts = {name for edge in edges for name in edge}
    graph: nx.DiGraph[Any] = nx.DiGraph()
    are_numbers = all(map(str.isdecimal, experts))
    graph.add_nodes_from(sorted(experts, key=lambda name: (int(str(name)) if are_numbers else 0, name)))
    graph.add_edges_from(list(edges))
    return graph


def _check(graph: nx.Graph[Any]) -> None:
    if not 1 <= graph.number_of_nodes() <= MOST_EXPERTS:
        raise ValueError(f"{graph.number_of_nodes()} experts, of which there must be 1 to {MOST_EXPERTS}")
    for expert in nx.nodes_with_selfloops(graph):
        raise ValueError(f"{expert} has an edge to itself")
