"""Iterations of gradient descent in one call of the kernel, beside one after another with PyTorch's optimisers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.lstm import LSTM
from badger_sweeps.architectures.tcnn import TCNN
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.engines.base import Engine
from badger_sweeps.engines.native.engine import Native
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.optimizers.adam import Adam
from badger_sweeps.optimizers.adamw import AdamW
from badger_sweeps.optimizers.rmsprop import RMSprop
from badger_sweeps.optimizers.sgd import SGD
from badger_sweeps.readouts.mean import Mean
from badger_sweeps.readouts.weighted import Weighted
from badger_sweeps.rollout import InitialStates
from badger_sweeps.rules.base import RuleState, Steps, Updates
from badger_sweeps.rules.gradient_descent import GradientDescent
from badger_sweeps.schedules.cosine import Cosine
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.topologies.single import Single
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import Records, train, train_in_chunks
from badger_sweeps.training.population import Population

SEEDS = (4, 0, 9)
SMALL = {
    "architecture": GRU(hidden=8, message=4),
    "topology": RandomLinks(experts=5, links=2),
    "task": GuessingGame(dims=3),
    "training": Training(iterations=12, batch_size=8, inner_steps=4),
    "seeds": SEEDS,
    "device": "cpu",
}
OPTIMIZERS = [
    *(Adam(lr=0.01), AdamW(lr=0.01, weight_decay=0.3), Adam(lr=0.01, beta1=0.5, beta2=0.9, eps=1e-3)),
    Adam(lr=0.01, beta1=0.99999999, beta2=0.99999999),  # in float32 both are 1
    *(RMSprop(lr=0.01), RMSprop(lr=0.003, momentum=0.7), SGD(lr=0.1), SGD(lr=0.1, momentum=0.0)),
]
SINGLE = {"topology": Single()}
CONFIGURATIONS = {
    **{repr(optimizer): {"optimizer": optimizer} for optimizer in OPTIMIZERS},
    "no clipping": {"training": replace(SMALL["training"], clip_norm=None)},
    "much clipping": {"training": replace(SMALL["training"], clip_norm=1e-3), "optimizer": SGD(lr=1.0)},
    "schedule": {"schedule": Cosine(), "training": replace(SMALL["training"], iterations=12)},
    "annealing": {"architecture": TCNN(hidden=8, message=4, z=5.0, beta=0.3)},
    "constants": {"architecture": Exponential(hidden=8, message=4)},
    "one learner": {"architecture": LSTM(hidden=8), **SINGLE},
    "loss steps": {"training": replace(SMALL["training"], loss_steps=3)},
    "loss": {"loss": MeanAbsoluteError()},
    "readout": {"readout": Weighted()},
    "task": {"task": Frequency(dims=5)},
    "one member": {"seeds": (3,)},
}
every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


def population(name: str = "task", engine: Engine | None = None, **changes: object) -> Population:
    return Population(Experiment(**{**SMALL, "engine": engine or Native(threads=1), **CONFIGURATIONS[name], **changes}))


class OneByOne(Native):
    """The native engine without descents of its own: PyTorch takes the steps."""

    def descend(self, *_: object) -> None:
        return None


def one_by_one(name: str, **changes: object) -> Population:
    members = population(name, **changes)
    members.engine = OneByOne(threads=1)
    return members


@pytest.fixture(autouse=True)
def long_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are as long as they may be, however slow the machine is."""
    monkeypatch.setattr("badger_sweeps.training.loop.SECONDS", 1e9)


def in_chunks(members: Population, length: int) -> list[Records]:
    """Calls of one iteration, and then of up to `length`."""
    return list(train_in_chunks(members, lambda iteration: (iteration // length + 1) * length))


def joined(chunks: list[Records]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([each.metrics[name] for each in chunks]) for name in chunks[0].metrics}


@every_configuration
def test_it_is_gradient_descent_with_pytorchs_optimizer(name: str) -> None:
    """Up to the rounding of 12 iterations of float32, in which small networks with small rates amplify nothing."""
    kernel, torchs = population(name), one_by_one(name)
    for ours, theirs in zip(train(kernel), train(torchs), strict=True):
        for column, values in ours.metrics.items():
            np.testing.assert_allclose(values, theirs.metrics[column], rtol=2e-4, atol=2e-6, err_msg=column)
    moved = (torchs.parameters.flat - population(name).parameters.flat).norm()
    assert float((kernel.parameters.flat - torchs.parameters.flat).norm()) < 1e-3 * float(moved)


@every_configuration
def test_it_is_the_same_for_any_division_into_calls(name: str) -> None:
    whole, pieces, single = population(name), population(name), population(name)
    chunks = [joined(in_chunks(members, length)) for members, length in ((whole, 12), (pieces, 5), (single, 1))]
    for other in chunks[1:]:
        assert other.keys() == chunks[0].keys()
        for column, values in chunks[0].items():
            assert values.tobytes() == other[column].tobytes(), column
    assert torch.equal(whole.parameters.flat, pieces.parameters.flat)
    assert torch.equal(whole.parameters.flat, single.parameters.flat)


@every_configuration
def test_it_continues_from_a_state_that_pytorch_left_and_the_other_way_round(name: str) -> None:
    """A run may be continued where there is no compiler: the optimiser's state is that of PyTorch's."""
    undisturbed = population(name)
    expected = joined(in_chunks(undisturbed, 12))["loss"]
    for first, second in ((population, one_by_one), (one_by_one, population)):
        before, after = first(name), second(name)
        start = joined([*islice(train_in_chunks(before, lambda iteration: iteration + 1), 6)])["loss"]
        after.load_state_dict(before.state_dict())
        end = joined(in_chunks(after, 12))["loss"]
        np.testing.assert_allclose(np.concatenate([start, end]), expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("seeds", [(3,), SEEDS, tuple(range(7))])
def test_it_does_not_depend_on_the_number_of_threads(seeds: tuple[int, ...]) -> None:
    """With one member threads share its games, with more they share members too; 30 games are several tiles."""
    training = Training(iterations=6, batch_size=30, inner_steps=30)
    runs = [
        population("readout", Native(threads=threads), seeds=seeds, training=training, topology=RandomLinks(experts=20))
        for threads in (1, 2, 5)
    ]
    losses = [joined(in_chunks(members, 6))["loss"] for members in runs]
    assert all(each.tobytes() == losses[0].tobytes() for each in losses)
    assert all(torch.equal(members.parameters.flat, runs[0].parameters.flat) for members in runs)


def without_target(members: Population, iteration: int, member: int) -> None:
    """Have a member meet a target that is not a number in one iteration."""
    members.draw_games(12)
    assert members._drawn is not None
    members._drawn.targets[iteration * len(SEEDS) + member, 3] = torch.nan


@pytest.mark.parametrize("length", [1, 4, 12])
def test_a_member_that_diverges_in_the_middle_of_a_call(length: int) -> None:
    calm = joined(in_chunks(population("readout"), 12))
    members = population("readout")
    without_target(members, iteration=5, member=1)
    chunks = in_chunks(members, length)
    before = [each for each in chunks if each.seeds == SEEDS]
    after = [each for each in chunks if each.seeds == (4, 9)]
    assert before + after == chunks
    assert before[-1].iterations.stop == after[0].iterations.start == 6
    assert joined(before)["diverged"].tolist() == [[0, 0, 0]] * 5 + [[0, 1, 0]]
    assert joined(before)["loss"][:5].tobytes() == calm["loss"][:5].tobytes()
    for name in ("loss", "grad_norm"):
        assert joined(after)[name].tobytes() == calm[name][6:, [0, 2]].tobytes()
    assert members.evaluations.tolist() == [36, 18, 36]
    stopped = population("readout")
    stopped.advance(5)
    assert torch.equal(members.parameters.flat[1], stopped.parameters.flat[1])


def test_what_is_scheduled_is_that_of_its_iteration_after_a_member_diverged_as_well() -> None:
    members = population("schedule")
    without_target(members, iteration=5, member=1)
    for record in (record for each in in_chunks(members, 12) for record in each):
        rate = np.float32(members.learning_rate(record.iteration))
        assert record.metrics["schedule/lr"].tolist() == [rate] * len(record.seeds)


@pytest.mark.parametrize("members", [population, one_by_one])
@pytest.mark.parametrize(
    ("dims", "guesses", "not_finite", "finite"),
    [
        (8, [0] * 4 + [1.2e19] + [0] * 3, "loss", "grad_norm"),  # a square that no float32 holds
        (3, [6e18] * 3, "grad_norm", "loss_dim/0"),  # a squared norm that no float32 holds
    ],
)
def test_a_member_diverges_if_its_loss_or_its_gradient_is_not_finite(
    members: Callable[..., Population], dims: int, guesses: list[float], not_finite: str, finite: str
) -> None:
    single = Training(iterations=3, batch_size=8, inner_steps=1)
    trained = members("readout", readout=Mean(), task=GuessingGame(dims=dims), training=single)
    with torch.no_grad():
        trained.parameters["bias_out"][1, 4:] += torch.tensor(guesses)  # after the 4 of the message
    kept = trained.parameters.flat[1].clone()
    first, *after = [record for each in in_chunks(trained, 3) for record in each]
    assert np.isinf(first.metrics[not_finite][1])
    assert np.isfinite(first.metrics[finite][1])
    assert first.metrics["diverged"].tolist() == [0, 1, 0]
    assert all(record.seeds == (4, 9) for record in after)
    assert torch.equal(trained.parameters.flat[1], kept)


def test_whose_losses_are_not_finite_has_diverged_whatever_the_rule_returns() -> None:
    class Careless(GradientDescent):
        def several(self, steps: Steps, state: RuleState) -> Updates | None:
            found = super().several(steps, state)
            assert found is not None
            return found._replace(alive=torch.ones_like(found.alive))

    members = population("readout", rule=Careless())
    without_target(members, iteration=5, member=1)
    seeds = [record.seeds for each in in_chunks(members, 12) for record in each]
    assert seeds == [SEEDS] * 6 + [(4, 9)] * 6


@pytest.mark.parametrize("members", [population, one_by_one])
def test_a_gradient_is_clipped_as_pytorch_clips_it(members: Callable[..., Population]) -> None:
    """Also where it is as short as what `clip_grad_norm_` adds to its norm: SGD with rate 1 shows what is left."""
    training = replace(SMALL["training"], clip_norm=1e-7)
    trained = members("readout", readout=Mean(), optimizer=SGD(lr=1.0, momentum=0.0), training=training)
    trained.draw_games(12)
    assert trained._drawn is not None
    trained._drawn.targets.mul_(1e-6)
    with torch.no_grad():
        trained.parameters["bias_out"].zero_()
        trained.parameters["weight_out"].zero_()
    before = trained.parameters.flat.clone()
    norms = trained.advance().metrics["grad_norm"][0]
    assert ((norms > 1e-7) & (norms < 1e-5)).all()
    for moved, norm in zip((trained.parameters.flat - before).norm(dim=1), norms, strict=True):
        parameter = torch.nn.Parameter(torch.zeros(1))
        parameter.grad = norm[None].clone()
        torch.nn.utils.clip_grad_norm_(parameter, 1e-7)
        assert float(moved) == pytest.approx(float(parameter.grad), rel=1e-3)


@pytest.mark.parametrize("length", [1, 4, 12])
def test_a_member_that_diverges_at_the_start_of_a_call(length: int) -> None:
    """It is recorded until it does, keeps its weights and moments, and the others do not notice."""
    calm = joined(in_chunks(population("readout"), 12))
    members = population("readout")
    list(islice(train(members), 4))
    with torch.no_grad():
        members.parameters["weight_out"][1, 0, 0] = torch.inf
    kept = members.parameters.flat[1].clone()
    chunks = in_chunks(members, length)
    assert chunks[0].seeds == SEEDS
    assert len(chunks[0]) == 1
    assert chunks[0].metrics["diverged"].tolist() == [[0, 1, 0]]
    assert all(each.seeds == (4, 9) and not each.metrics["diverged"].any() for each in chunks[1:])
    assert torch.equal(members.parameters.flat[1], kept)
    (adam,) = members.rule_state["optimizer"].state_dict()["optimizers"]
    assert all(moments["exp_avg"].isfinite().all() for moments in adam["state"].values())
    for position, member in enumerate((0, 2)):
        after = np.concatenate(
            [chunks[0].metrics["loss"][:, member], *(b.metrics["loss"][:, position] for b in chunks[1:])]
        )
        assert after.tobytes() == calm["loss"][4:, member].tobytes()


def test_training_ends_in_the_iteration_in_which_the_last_member_diverged() -> None:
    members = population("readout")
    with torch.no_grad():
        members.parameters["bias_out"].fill_(torch.nan)
    chunks = in_chunks(members, 12)
    assert [each.iterations for each in chunks] == [range(1)]
    assert members.iteration == 1
    assert members.evaluations.tolist() == [3, 3, 3]
    assert members.finished


@pytest.mark.parametrize("length", [1, 4, 12])
def test_training_ends_in_the_middle_of_a_call_in_which_the_last_member_diverged(length: int) -> None:
    members = population("readout")
    for member, iteration in enumerate((6, 2, 5)):
        without_target(members, iteration, member)
    chunks = in_chunks(members, length)
    assert [record.seeds for each in chunks for record in each] == [SEEDS] * 3 + [(4, 9)] * 3 + [(4,)]
    assert chunks[-1].iterations.stop == members.iteration == 7
    assert members.evaluations.tolist() == [21, 9, 18]
    assert members.finished


def test_what_the_kernel_does_not_know_is_done_one_by_one() -> None:
    """A subclass may build another optimiser, and an aggregator may want the gradients of the dimensions."""

    class Other(Adam):
        def build(self, parameters):
            return torch.optim.SGD(parameters, lr=self.lr)

    members = population("readout", optimizer=Other(lr=0.05))
    assert members.experiment.rule.several(members._steps(2), members.rule_state) is None
    assert len(in_chunks(members, 12)) >= 1


@pytest.mark.parametrize(
    "architecture",
    [GRU(hidden=17, message=3, initial_noise=0.7), TCNN(hidden=20, message=6, z=5.0), GRU(initial_noise=0.0), LSTM()],
    ids=repr,
)
@pytest.mark.parametrize("games", [1, 37])
def test_the_kernel_draws_the_initial_states_to_the_bit(architecture, games: int) -> None:
    """Beside the states of `Architecture.initial_state`, drawn by PyTorch; the states themselves are not touched."""
    topology = Single() if architecture.single_agent else RandomLinks(experts=7, links=3)
    setup = Experiment(
        architecture=architecture, topology=topology, training=Training(batch_size=games), seeds=SEEDS, device="cpu"
    )
    members = Population(setup)
    members.iteration = 5
    drawn = members.draw_games()
    assert isinstance(drawn.state, InitialStates)
    found = Native().pullback(members.objective, members.parameters, drawn)
    assert "drawn" not in vars(drawn.state)
    states = architecture.initial_state(games, topology.experts, RandomBatches.of(SEEDS, Purpose.STATES, batch=5))
    expected = Native().pullback(members.objective, members.parameters, drawn._replace(state=states))
    assert torch.equal(found.gradients, expected.gradients)
    one = drawn.of(slice(1, 2)).first(1)
    again = Native().rollout(members.objective.of(slice(1, 2)), _of(members, 1), one, ("h",), (0,))
    whole = Native().rollout(members.objective, members.parameters, drawn, ("h",), (0,))
    assert torch.equal(again.states["h"][0, 0, 0], whole.states["h"][0, 1, 0])


def _of(members: Population, member: int):
    return type(members.parameters)(members.parameters.flat[member : member + 1], members.parameters.shapes)
