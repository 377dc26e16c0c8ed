"""A population is its members, side by side and out of each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import torch

from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.core.random_streams import Purpose, random_stream
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.optimizers.base import Optimizer
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import Record, train
from badger_sweeps.training.population import Population

SMALL = {
    "architecture": GRU(hidden=8, message=4),
    "topology": RandomLinks(experts=5, links=2),
    "training": Training(iterations=20, batch_size=8, inner_steps=5),
    "device": "cpu",
}


def experiment(**changes: object) -> Experiment:
    return Experiment(**{**SMALL, **changes})


def column(records: Iterator[Record], name: str, seed: int) -> list[float]:
    return [float(record.metrics[name][record.seeds.index(seed)]) for record in records]


@pytest.mark.parametrize("optimizer", [Adam(lr=0.01), SGD(lr=0.1, momentum=0.9)])
@pytest.mark.parametrize("architecture", [GRU(hidden=8, message=4), Exponential(hidden=8, message=4)])
def test_members_train_as_they_would_alone(optimizer: Optimizer, architecture: GRU) -> None:
    """Equal to float rounding for 20 iterations: 1e-4 of a loss near 1, over rounding of 1e-7 an operation."""
    settings = {"optimizer": optimizer, "architecture": architecture, "readout": Weighted()}
    together = list(train(Population(experiment(seeds=(4, 0, 9), **settings))))
    for seed in (0, 4, 9):
        alone = list(train(Population(experiment(seeds=(seed,), **settings))))
        for name in ("loss", "loss_dim/2", "grad_norm"):
            np.testing.assert_allclose(column(together, name, seed), column(alone, name, seed), rtol=1e-4)


def test_a_member_is_the_textbook_training_loop() -> None:
    """An independent loop with torch.nn.GRUCell, torch.nn.Linear, torch.optim.Adam and torch's clipping."""
    members = Population(experiment(seeds=(7,), optimizer=Adam(lr=0.01)))
    reference = Population(experiment(seeds=(7,)))  # only draws the same weights, graph and games
    cell, head = torch.nn.GRUCell(5, 8), torch.nn.Linear(8, 8)
    weights = {name: tensor[0].detach() for name, tensor in reference.parameters.items()}
    cell.load_state_dict({name: weights[name] for name in cell.state_dict()})
    head.load_state_dict({"weight": weights["weight_out"], "bias": weights["bias_out"]})
    parameters = [*cell.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    graph = reference.experiment.graphs[0].float()

    for record in train(members):
        reference.iteration = record.iteration
        games = reference.draw_games()
        y, h = games.targets[0], games.state["h"][0]
        m, guess = torch.zeros(8, 5, 4), torch.zeros(8, 4)
        for _ in range(5):
            error = 3 * ((guess - y) ** 2).mean(1)
            x = torch.cat([torch.einsum("ij,bjm->bim", graph, m) / 2, error[:, None, None].expand(8, 5, 1)], dim=2)
            h = torch.stack([cell(x[:, i], h[:, i]) for i in range(5)], dim=1)
            m, o = head(h).split(4, dim=2)
            guess = o.mean(1)
        loss = 3 * ((guess - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        assert float(record.metrics["loss"][0]) == pytest.approx(loss.item(), rel=1e-4)
        assert float(record.metrics["grad_norm"][0]) == pytest.approx(float(norm), rel=1e-3)


def test_a_diverging_member_is_frozen_and_the_others_do_not_notice() -> None:
    undisturbed = list(train(Population(experiment(seeds=(0, 1, 2)))))
    members = Population(experiment(seeds=(0, 1, 2)))
    records = train(members)
    before = list(islice(records, 10))
    with torch.no_grad():
        members.parameters["weight_out"][1, 0, 0] = torch.inf
    after = list(records)

    assert after[0].seeds == (0, 1, 2)
    assert not np.isfinite(after[0].metrics["loss"][1])
    assert [record.metrics["diverged"].tolist() for record in after[:2]] == [[0, 1, 0], [0, 0]]
    assert all(record.seeds == (0, 2) for record in after[1:])
    assert members.active.tolist() == [True, False, True]
    for seed in (0, 2):
        for name in ("loss", "grad_norm"):
            assert column([*before, *after], name, seed) == column(undisturbed, name, seed)


def test_a_frozen_member_keeps_the_weights_it_had() -> None:
    members = Population(experiment(seeds=(0, 1)))
    records = train(members)
    list(islice(records, 10))
    with torch.no_grad():
        members.parameters["bias_out"][0, 0] = torch.nan
    kept = {name: tensor[0].clone() for name, tensor in members.parameters.items()}
    moved = {name: tensor[1].clone() for name, tensor in members.parameters.items()}
    list(records)
    for name, tensor in members.parameters.items():
        torch.testing.assert_close(tensor[0], kept[name], rtol=0, atol=0, equal_nan=True)
        assert not torch.equal(tensor[1], moved[name])
    (adam,) = members.rule_state["optimizer"].state_dict()["optimizers"]
    assert all(torch.isfinite(moments["exp_avg"]).all() for moments in adam["state"].values())


def test_training_ends_when_nobody_is_left() -> None:
    members = Population(experiment(seeds=(0, 1)))
    with torch.no_grad():
        members.parameters["bias_out"].fill_(torch.nan)
    assert len(list(train(members))) == 1
    assert members.finished


def test_clipping_bounds_each_member_alone() -> None:
    """SGD with rate 1 moves a member by its clipped gradient: the bound, or all of it where it is shorter."""
    clip = Training(iterations=20, batch_size=8, inner_steps=5, clip_norm=0.3)
    members = Population(experiment(seeds=tuple(range(6)), optimizer=SGD(lr=1.0), training=clip))
    with torch.no_grad():
        members.parameters["weight_out"][0] *= 50  # one member's gradient explodes
    before = {name: tensor.detach().clone() for name, tensor in members.parameters.items()}
    norms = next(train(members)).metrics["grad_norm"]
    moved = sum(
        (tensor - before[name]).flatten(1).square().sum(1) for name, tensor in members.parameters.items()
    ).sqrt()
    assert norms[0] > 100 * norms[1:].max()
    np.testing.assert_allclose(moved.detach(), np.minimum(norms, 0.3), rtol=1e-4)


def test_seeds_share_targets_across_architectures_but_not_with_each_other() -> None:
    first = Population(experiment(seeds=(0, 1)))
    other = Population(experiment(seeds=(0, 1), architecture=Exponential(hidden=16), topology=RandomLinks(experts=9)))
    targets = first.draw_games().targets
    assert torch.equal(targets, other.draw_games().targets)
    assert not torch.equal(targets[0], targets[1])
    first.iteration += 1
    assert not torch.equal(targets, first.draw_games().targets)


def test_streams_of_one_seed_differ_by_purpose() -> None:
    draws = [torch.rand(4, generator=random_stream(3, purpose)).tolist() for purpose in Purpose]
    assert len({tuple(draw) for draw in draws}) == len(Purpose)
    assert torch.rand(4, generator=random_stream(3, Purpose.STATES)).tolist() == draws[Purpose.STATES]


def test_members_have_their_own_weights_and_graphs() -> None:
    members = Population(experiment(seeds=(0, 1)))
    assert not torch.equal(members.parameters["weight_hh"][0], members.parameters["weight_hh"][1])
    assert not torch.equal(members.experiment.graphs[0], members.experiment.graphs[1])


def test_nothing_is_drawn_from_the_global_stream() -> None:
    before = torch.get_rng_state()
    runs = []
    for disturbance in (1, 2):
        torch.manual_seed(disturbance)
        runs.append([record.metrics["loss"].tolist() for record in train(Population(experiment(seeds=(3,))))])
    assert runs[0] == runs[1]
    torch.set_rng_state(before)


def test_going_on_from_a_state_is_going_on() -> None:
    whole = [record.metrics["loss"].tolist() for record in train(Population(experiment(seeds=(0, 1))))]
    first = Population(experiment(seeds=(0, 1)))
    list(islice(train(first), 8))
    state = first.state_dict()
    second = Population(experiment(seeds=(0, 1)))
    second.load_state_dict(state)
    assert [record.metrics["loss"].tolist() for record in train(second)] == whole[8:]
