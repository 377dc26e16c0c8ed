"""The frequency task: exact spectra, exact scale, and the inputs of a supervised learner."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from badger_sweeps.architectures.gru import GRU
from badger_sweeps.architectures.supervised_lstm import SupervisedLSTM
from badger_sweeps.core.counter_random import RandomBatches
from badger_sweeps.core.random_streams import Purpose
from badger_sweeps.core.settings import explain
from badger_sweeps.losses.l1 import MeanAbsoluteError
from badger_sweeps.losses.mse import MeanSquaredError
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.topologies.disconnected import Disconnected
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population

ARMS = [
    Frequency(dims=dims, phases=phases)  # type: ignore[arg-type]
    for dims in (41, 11)
    for phases in ("common", "independent")
]


def drawn(task: Frequency, games: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    questions = task.draw(games, RandomBatches.of((seed,), Purpose.TARGETS))
    return questions.targets[0].double().numpy(), questions.inputs[0].double().numpy()


def phases_of(task: Frequency, inputs: np.ndarray) -> np.ndarray:
    """phi of each game and frequency, from the cosines and sines that are inputs of a supervised learner."""
    count = (inputs.shape[-1] - 1) // 2
    phi = np.arctan2(inputs[:, 0, 1 + count :], inputs[:, 0, 1 : 1 + count])
    return np.broadcast_to(phi, (len(inputs), task.parts))


def test_defaults() -> None:
    assert (Frequency().dims, Frequency().parts, Frequency().phases) == (41, 10, "common")
    assert Frequency(dims=11).parts == 5
    assert Frequency(dims=3).parts == 1
    assert Frequency(dims=41, frequencies=20).parts == 20


@pytest.mark.parametrize("task", ARMS)
def test_targets_are_the_formula(task: Frequency) -> None:
    targets, inputs = drawn(task)
    phi = phases_of(task, inputs)
    amplitude = math.sqrt(2 / (3 * task.parts))
    for game in range(20):
        for i in range(task.dims):
            waves = (math.sin(2 * math.pi * k * i / task.dims + phi[game, k - 1]) for k in range(1, task.parts + 1))
            assert targets[game, i] == pytest.approx(amplitude * sum(waves), abs=5e-6)
    np.testing.assert_allclose(inputs[:, :, 0], np.broadcast_to(np.arange(task.dims) / task.dims, targets.shape))


@given(st.integers(1, 30).flatmap(lambda k: st.tuples(st.integers(2 * k + 1, 80), st.just(k))), st.booleans())
@settings(deadline=None, max_examples=40)
def test_the_dft_is_exact(sizes: tuple[int, int], common: bool) -> None:
    """|Y_k| = N*A/2 at every k = 1..K with the phase of a sine, and nothing anywhere else: no leakage, no offset."""
    dims, frequencies = sizes
    task = Frequency(dims=dims, frequencies=frequencies, phases="common" if common else "independent")
    targets, inputs = drawn(task, games=5)
    spectrum = np.fft.fft(targets, axis=1)
    phi = phases_of(task, inputs)
    half = dims * math.sqrt(2 / (3 * frequencies)) / 2
    tolerance = 2e-6 * dims * math.sqrt(frequencies)  # float32 samples and phases
    np.testing.assert_allclose(spectrum[:, 1 : frequencies + 1], half * np.exp(1j * (phi - np.pi / 2)), atol=tolerance)
    np.testing.assert_allclose(spectrum[:, 0], 0, atol=tolerance)
    np.testing.assert_allclose(spectrum[:, frequencies + 1 : dims - frequencies], 0, atol=tolerance)


@pytest.mark.parametrize("task", ARMS)
def test_chance_is_exactly_one(task: Frequency) -> None:
    """Squares cost 1 in every single game. For absolute values the mean over 20,000 games is within four standard
    errors, whose size the games themselves give."""
    targets = task.draw(20_000, RandomBatches.of((1,), Purpose.TARGETS)).targets[0]
    zero = torch.zeros_like(targets)
    squares = MeanSquaredError().error(zero, targets, task).mean(1)
    torch.testing.assert_close(squares, torch.ones(20_000), atol=1e-5, rtol=0)
    magnitudes = MeanAbsoluteError().error(zero, targets, task).mean(1).double()
    error = float(magnitudes.std()) / math.sqrt(20_000)
    assert float(magnitudes.mean()) == pytest.approx(1, abs=4 * error)


def test_mean_magnitudes_are_the_integrals() -> None:
    """Common phase: by averaging |y| over a fine grid of phases. Independent phases, K = 1 and 2: sines in closed form,
    E|sin| = 2/pi and E|sin + sin'| = 8/pi^2. A grid of n phases is off by O(1/n^2)."""
    for dims, frequencies in ((11, 5), (41, 10), (9, 2)):
        task = Frequency(dims=dims, frequencies=frequencies)
        x, phi = np.arange(dims) / dims, (np.arange(20_000) + 0.5) / 20_000 * 2 * np.pi
        waves = sum(np.sin(2 * np.pi * k * x + phi[:, None]) for k in range(1, frequencies + 1))
        assert task.mean_magnitude == pytest.approx(np.abs(waves).mean() * task.amplitude, rel=1e-7)
    one, two = (Frequency(dims=9, frequencies=k, phases="independent") for k in (1, 2))
    assert one.mean_magnitude == pytest.approx(one.amplitude * 2 / math.pi, rel=1e-7)
    assert two.mean_magnitude == pytest.approx(two.amplitude * 8 / math.pi**2, rel=1e-7)


@pytest.mark.parametrize("task", ARMS)
def test_levels_are_one_minus_the_share_of_frequencies_solved(task: Frequency) -> None:
    targets, inputs = drawn(task)
    phi, x = phases_of(task, inputs), np.arange(task.dims) / task.dims
    for solved in range(task.parts + 1):
        guess = sum(
            (task.amplitude * np.sin(2 * np.pi * k * x + phi[:, k - 1 : k]) for k in range(1, solved + 1)),
            start=np.zeros_like(targets),
        )
        error = MeanSquaredError().error(torch.from_numpy(guess), torch.from_numpy(targets), task).mean()
        assert float(error) == pytest.approx(1 - solved / task.parts, abs=1e-5)


@pytest.mark.parametrize(("phases", "rank"), [("common", 2), ("independent", 20)])
def test_a_common_phase_leaves_a_plane(phases: str, rank: int) -> None:
    targets, _ = drawn(Frequency(phases=phases))  # type: ignore[arg-type]
    assert np.linalg.matrix_rank(targets, tol=1e-3) == rank


@pytest.mark.parametrize("task", ARMS)
@pytest.mark.parametrize("loss", [MeanSquaredError(), MeanAbsoluteError()])
def test_no_subspace_solved_varies_more_than_the_bound(task: Frequency, loss: MeanSquaredError) -> None:
    """What blocks are made for: the variance over games where random subspaces or single quadratures are solved.

    4000 games give a variance to within about 4 %; a tenth is allowed.
    """
    targets, _ = drawn(task, games=4000)
    rng = np.random.default_rng(0)
    x = 2 * np.pi * np.arange(task.dims) / task.dims
    waves = np.array([wave(k * x) for k in range(1, task.parts + 1) for wave in (np.sin, np.cos)])
    span = np.linalg.svd(targets, full_matrices=False)[2][: 2 if task.phases == "common" else 2 * task.parts]
    for trial in range(40):
        solved = (
            waves[rng.random(len(waves)) < 0.5] if trial % 2 else rng.normal(size=(trial // 4 + 1, len(span))) @ span
        )
        basis = np.linalg.svd(solved, full_matrices=False)[2] if len(solved) else np.zeros((0, task.dims))
        guess = torch.from_numpy(targets @ basis.T @ basis)
        games = loss.error(guess, torch.from_numpy(targets), task).mean(1)
        assert float(games.var()) <= 1.1 * task.game_variance(loss.order)


@pytest.mark.parametrize(("settings_", "line"), [
    (
        {"dims": 11, "frequencies": 6},
        "`task.frequencies` must be at most (`task.dims` - 1)/2; found frequencies=6, dims=11.",
    ),
    ({"dims": 2}, "`task.dims` must be at least 3; found 2."),
    ({"phases": "random"}, "`task.phases` must be one of 'common' or 'independent'; found 'random'."),
])  # fmt: skip
def test_what_cannot_be_is_refused(settings_: dict[str, object], line: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Frequency(**settings_)  # type: ignore[arg-type]
    assert explain(refused.value, "task") == line


@pytest.mark.parametrize("architecture", [GRU(hidden=4, message=2), SupervisedLSTM(hidden=4)])
def test_independent_phases_train_too(architecture: GRU | SupervisedLSTM) -> None:
    experiment = Experiment(
        architecture=architecture,
        topology=Disconnected(experts=1),
        task=Frequency(dims=7, phases="independent"),
        training=Training(iterations=3, batch_size=4, inner_steps=1),
        seeds=(0, 1),
        device="cpu",
    )
    losses = [record.metrics["loss"] for record in train(Population(experiment))]
    assert np.isfinite(losses).all()


def test_meta_learners_never_see_what_the_task_tells() -> None:
    """Whatever the inputs say, a rollout of Micro-Badgers is the same to the bit."""
    experiment = Experiment(architecture=GRU(hidden=4), task=Frequency(dims=7), seeds=(0,), device="cpu")
    members = Population(experiment)
    games = members.draw_games()
    updates = [
        members.engine.losses(members.objective, members.parameters, games._replace(inputs=inputs))
        for inputs in (games.inputs, games.inputs.flip(1) + 1)
    ]
    assert torch.equal(updates[0].losses, updates[1].losses)


@pytest.mark.parametrize(("dims", "parts"), [(12, 2), (501, 250), (41, None)])
@pytest.mark.parametrize("phases", ["common", "independent"])
def test_games_of_the_frequency_task_do_not_depend_on_those_that_are_drawn_with_them(
    dims: int, parts: int | None, phases: str
) -> None:
    task = Frequency(dims=dims, frequencies=parts, phases=phases)
    batches = RandomBatches.of((3, 1, 7), Purpose.TARGETS).of_iterations(0, 8)
    together = task.draw(3, batches)
    for batch in range(len(batches)):
        alone = task.draw(3, batches.at(slice(batch, batch + 1)))
        assert torch.equal(alone.targets[0], together.targets[batch])
        assert torch.equal(alone.inputs[0], together.inputs[batch])
    assert torch.equal(task.draw(1, batches).targets[:, 0], together.targets[:, 0])
