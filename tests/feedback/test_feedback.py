"""Feedback and loss are independent choices: beside a training loop written out, in both engines."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.supervised_lstm import SupervisedLSTM
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.core.settings import explain
from badger_sweeps.engines.base import Engine
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.engines.reference import Reference
from badger_sweeps.evaluation.games import EvaluationGames
from badger_sweeps.feedback.l1 import AbsoluteErrorFeedback
from badger_sweeps.feedback.mse import SquaredErrorFeedback
from badger_sweeps.feedback.same import SameAsLoss
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.topologies.single import Single
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population
from tests.evaluation.populations import context_after, measure_named

LOSSES = {"mse": MeanSquaredError(), "l1": MeanAbsoluteError()}
FEEDBACK = {"mse": SquaredErrorFeedback(), "l1": AbsoluteErrorFeedback()}
ERRORS = {"mse": lambda off: 3 * off.square(), "l1": lambda off: 2 * off.abs()}
"""Normalised on the Guessing Game, where E y^2 = 1/3 and E|y| = 1/2."""


def badger(loss: str, feedback: str, engine: Engine) -> Experiment:
    return Experiment(
        architecture=GRU(hidden=8, message=4),
        topology=RandomLinks(experts=5, links=2),
        loss=LOSSES[loss],
        feedback=FEEDBACK[feedback],
        optimizer=Adam(lr=0.01),
        engine=engine,
        training=Training(iterations=20, batch_size=8, inner_steps=5, loss_steps=2),
        seeds=(7,),
        device="cpu",
    )


@pytest.mark.parametrize("engine", [Native(), Reference()])
@pytest.mark.parametrize(("loss", "feedback"), list(product(LOSSES, FEEDBACK)))
def test_a_member_is_an_independent_loop(loss: str, feedback: str, engine: Engine) -> None:
    """With torch.nn.GRUCell, torch.nn.Linear and torch.optim.Adam: reads one error, minimises the other.

    Adam follows rounding of float32 where gradients are small: 1e-4 of a loss near 1 after 20 iterations.
    """
    members, drawing = (Population(badger(loss, feedback, engine)) for _ in range(2))
    cell, head = torch.nn.GRUCell(5, 8), torch.nn.Linear(8, 8)
    weights = {name: tensor[0].detach().clone() for name, tensor in drawing.parameters.items()}
    cell.load_state_dict({name: weights[name] for name in cell.state_dict()})
    head.load_state_dict({"weight": weights["weight_out"], "bias": weights["bias_out"]})
    parameters = [*cell.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    graph = drawing.experiment.graphs[0].float()
    for record in train(members):
        drawing.iteration = record.iteration
        games = drawing.draw_games()
        y, h = games.targets[0], games.state["h"][0]
        m, guess = torch.zeros(8, 5, 4), torch.zeros(8, 4)
        minimised: list[Tensor] = []
        for _ in range(5):
            error = ERRORS[feedback](guess - y).mean(1)
            x = torch.cat([torch.einsum("ij,bjm->bim", graph, m) / 2, error[:, None, None].expand(8, 5, 1)], dim=2)
            h = torch.stack([cell(x[:, i], h[:, i]) for i in range(5)], dim=1)
            m, o = head(h).split(4, dim=2)
            guess = o.mean(1)
            minimised.append(ERRORS[loss](guess - y).mean())
        optimizer.zero_grad()
        ((minimised[-1] + minimised[-2]) / 2).backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        assert float(record.metrics["loss"][0]) == pytest.approx(minimised[-1].item(), rel=2e-4)
        assert float(record.metrics["grad_norm"][0]) == pytest.approx(float(norm), rel=2e-3)


@pytest.mark.parametrize("engine", [Native(), Reference()])
@pytest.mark.parametrize("loss", LOSSES)
def test_same_is_the_loss_s_own_error(loss: str, engine: Engine) -> None:
    """To the bit."""
    said, same = badger(loss, loss, engine), badger(loss, loss, engine)
    object.__setattr__(same, "feedback", SameAsLoss())
    runs = [[record.metrics["loss"].tolist() for record in train(Population(setup))] for setup in (said, same)]
    assert runs[0] == runs[1]


def test_a_single_learner_reads_it_too() -> None:
    """The frequency task, whose mean magnitude is not one half: both errors are 1 at chance there as well."""
    runs = []
    for feedback in FEEDBACK.values():
        experiment = Experiment(
            architecture=LSTM(hidden=6),
            topology=Single(),
            task=Frequency(dims=7),
            feedback=feedback,
            training=Training(iterations=3, batch_size=8, inner_steps=4),
            seeds=(0,),
            device="cpu",
        )
        zero = torch.zeros(1, 4000, 7)
        targets = experiment.task.draw(4000, RandomBatches.of((0,), Purpose.TARGETS)).targets
        assert float(experiment.system.observed_error(zero, targets).mean()) == pytest.approx(1, abs=0.03)
        runs.append([record.metrics["loss"].tolist() for record in train(Population(experiment))])
    assert runs[0] != runs[1]


def test_measures_play_with_what_is_told_and_score_what_is_minimised() -> None:
    """Evaluation loss, the inner loop's steps and gates: a rollout by the definition, with the feedback's error."""
    setup = Experiment(
        architecture=GRU(hidden=6, message=2),
        topology=RandomLinks(experts=3, links=1),
        loss=MeanAbsoluteError(),
        feedback=SquaredErrorFeedback(),
        training=Training(iterations=30, batch_size=16, inner_steps=6),
        seeds=(4, 2),
        device="cpu",
    )
    seen = context_after(setup, iterations=3)
    system, state, guess = seen.system, seen.games.state, torch.zeros_like(seen.targets)
    steps, carried = [], []
    h, m = state["h"], state["m"]
    learner = setup.architecture
    assert isinstance(learner, GRU)
    for _ in range(6):
        error = 3 * (guess - seen.targets).square().mean(dim=-1)
        x = learner.input(seen.parameters, seen.adjacency, m, error)
        z, v = learner.gates(seen.parameters, x, h.flatten(1, 2))
        carried.append(z.view_as(h)[:, :64].mean(dim=(1, 2, 3)))
        h = (v + z * (h.flatten(1, 2) - v)).view_as(h)
        m, o = learner.messages(seen.parameters, h), learner.outputs(seen.parameters, {"h": h})
        guess = o.mean(dim=2)
        steps.append((2 * (guess - seen.targets).abs()).mean(dim=(1, 2)))
    assert system.loss.order == 1
    found = {**measure_named("fixed_loss").measure(seen), **measure_named("inner_loop").measure(seen)}
    torch.testing.assert_close(found["evaluation/loss"], steps[-1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["inner/loss"], torch.stack(steps, dim=1), rtol=1e-4, atol=1e-5)
    gates = measure_named("gates").measure(seen)["gate/carried"]
    torch.testing.assert_close(gates, torch.stack(carried, dim=1), rtol=1e-4, atol=1e-5)
    assert isinstance(seen.evaluation, EvaluationGames)


def test_it_is_part_of_what_a_run_is() -> None:
    identities = [badger("mse", name, Native()).identity for name in FEEDBACK]
    assert [identity["feedback"] for identity in identities] == ["SquaredErrorFeedback", "AbsoluteErrorFeedback"]


def test_a_supervised_learner_is_told_nothing() -> None:
    with pytest.raises(ValidationError) as refused:
        Experiment(
            architecture=SupervisedLSTM(),
            topology=Single(),
            task=Frequency(dims=7),
            feedback=AbsoluteErrorFeedback(),
            training=Training(inner_steps=1),
        )
    rule = "`feedback` must be SameAsLoss with SupervisedLSTM, which reads no error"
    assert explain(refused.value) == f"{rule}; found AbsoluteErrorFeedback."


def test_errors_of_both_kinds_are_normalised() -> None:
    """At chance, over 10^5 games: 1 within four standard deviations of the mean, sqrt(0.8/D/n) and less."""
    targets = torch.rand(100_000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for feedback in FEEDBACK.values():
        error = feedback.loss(MeanSquaredError()).error(torch.zeros_like(targets), targets, Experiment().task)
        assert np.isclose(float(error.mean()), 1, atol=4 * (0.8 / 3 / 100_000) ** 0.5)
