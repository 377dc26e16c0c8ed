"""Graphs from files: what is read, and what is refused in one line."""

from __future__ import annotations

import re
from pathlib import Path

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from badger_sweeps.core.settings import explain
from badger_sweeps.topologies.file import FromFile
from badger_sweeps.training.experiment import Experiment

NODES = '<node id="a"/><node id="b"/><node id="c"/>'


def graphml(inside: str, directed: bool = True) -> str:
    direction = "directed" if directed else "undirected"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
        f'<key id="w" for="edge" attr.name="weight" attr.type="double"/><graph edgedefault="{direction}">{inside}'
        "</graph></graphml>"
    )


def listens(path: Path) -> list[list[int]]:
    topology = FromFile(file=str(path))
    graph = topology.draw(torch.Generator())
    assert graph.shape == (topology.experts, topology.experts)
    return graph.int().tolist()


def test_a_list_of_links(tmp_path: Path) -> None:
    path = tmp_path / "links.txt"
    path.write_text("# sender receiver\n10 2   # a comment\n\n2\t7\n")
    assert listens(path) == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]  # 2, 7, 10: by value


def test_names_that_are_not_numbers_are_sorted_as_text(tmp_path: Path) -> None:
    path = tmp_path / "links"
    path.write_text("b a\nhub b\n")
    assert listens(path) == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_graphml_keeps_the_order_of_its_nodes_and_isolated_ones(tmp_path: Path) -> None:
    path = tmp_path / "graph.GraphML"
    path.write_text(graphml('<node id="z"/><node id="a"/><node id="m"/><edge source="a" target="z"/>'))
    assert listens(path) == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_undirected_graphml_goes_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "graph.graphml"
    path.write_text(graphml(NODES + '<edge source="a" target="b"/>', directed=False))
    assert listens(path) == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


@given(st.integers(2, 12), st.floats(0.1, 0.9), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=30)
def test_what_networkx_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, n: int, p: float, seed: int, directed: bool
) -> None:
    graph = nx.gnp_random_graph(n, p, seed=seed, directed=directed)
    path = tmp_path_factory.mktemp("graph") / "graph.graphml"
    nx.write_graphml(graph, path)
    assert listens(path) == nx.to_numpy_array(graph).T.astype(int).tolist()


def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "links"
    path.write_bytes(b"\xef\xbb\xbf0 1\r\n1 2\r\n2 0\r\n")
    assert listens(path) == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


BAD = {
    "nothing.txt": ("", "0 experts, of which there must be 1 to 10000"),
    "three.txt": ("0 1\n1 2 0.5\n", "line 2 is '1 2 0.5' and not a sender and a receiver"),
    "one.txt": ("0 1\n2\n", "line 2 is '2' and not a sender and a receiver"),
    "twice.txt": ("0 1\n1 0\n0 1\n", "line 3 is the edge of line 1 again"),
    "self.txt": ("0 1\n1 1\n", "1 has an edge to itself"),
    "words.graphml": ("0 1\n", "syntax error: line 1, column 0"),
    "cut.graphml": (graphml(NODES)[:-5], "unclosed token: line 1, column 258"),
    "other.graphml": ("<svg/>", "file not successfully read as graphml"),
    "empty.graphml": (graphml(""), "0 experts, of which there must be 1 to 10000"),
    "undeclared.graphml": (
        graphml(NODES + '<edge source="a" target="d"/>'),
        "edges between 4 nodes of which 3 are declared",
    ),
    "twice.graphml": (graphml(NODES + '<edge source="a" target="b"/>' * 2), "an edge that is there twice"),
    "weighted.graphml": (
        graphml(NODES + '<edge source="a" target="b"><data key="w">0.5</data></edge>'),
        "the edge a b has the weight 0.5",
    ),
    "default.graphml": (
        graphml(NODES + '<edge source="a" target="b"/>').replace(
            'attr.type="double"/>', 'attr.type="double"><default>3</default></key>'
        ),
        "the edge a b has the weight 3.0",
    ),
    "number.graphml": (
        graphml(NODES).replace('attr.type="double"/>', 'attr.type="double"><default></default></key>'),
        "float() argument must be a string or a real number, not 'NoneType'",
    ),
    "coding.graphml": (graphml(NODES).replace("UTF-8", "klingon"), "unknown encoding: klingon"),
    "port.graphml": (
        graphml(NODES.replace('<node id="a"/>', '<node id="a"><port name="p"/></node>')),
        "GraphML port tag not supported",
    ),
    "nameless.graphml": (graphml(NODES + "<node/>"), "edges between 4 nodes of which 3 are declared"),
    "self.graphml": (graphml(NODES + '<edge source="a" target="a"/>'), "a has an edge to itself"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_clear_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    content, why = BAD[name]
    path.write_text(content)
    with pytest.raises(ValidationError) as refused:
        FromFile(file=str(path))
    line = explain(refused.value, "topology")
    rule = "`topology.file` must hold a graph, as GraphML or as a list of edges; found in "
    assert re.sub(r"column \d+", "", line) == re.sub(r"column \d+", "", f"{rule}`{path}`: {why}.")


def test_no_file_no_text_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01")
    for path, why in (
        (tmp_path / "none", "No such file"),
        (tmp_path / "binary", "codec"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(ValidationError) as refused:
            FromFile(file=str(path))
        assert why in explain(refused.value)
        assert "\n" not in explain(refused.value)


def test_another_graph_is_another_run(tmp_path: Path) -> None:
    """The graphs themselves are compared, under whatever settings they were drawn."""
    path = tmp_path / "links"
    identities = []
    for content in ("0 1\n1 0\n", "0 1\n1 0\n0 2\n", "0 1\n1 0\n0 2 # the same again\n"):
        path.write_text(content)
        identities.append(Experiment(topology=FromFile(file=str(path)), device="cpu").identity)
    assert identities[0] != identities[1] == identities[2]


def test_the_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "links"
    path.write_text("0 1\n1 0\n")
    topology = FromFile(file=str(path))
    path.write_text("0 1\n1 0\n0 2\n")
    assert topology.experts == 2
    assert topology.draw(torch.Generator()).shape == (2, 2)
