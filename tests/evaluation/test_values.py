"""The values of measures, compared with the same values computed in other ways."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from badger_sweeps.architectures.exponential import Exponential
from badger_sweeps.core.weights import Weights
from badger_sweeps.engines.base import by_dimension
from badger_sweeps.engines.reference import Reference
from badger_sweeps.evaluation.games import OUTPUT_COMPONENTS, EvaluationGames
from badger_sweeps.evaluation.mutual_information import MutualInformation
from badger_sweeps.measures.information.conditioning import Conditions
from badger_sweeps.measures.information.noise import saturation
from badger_sweeps.tasks.frequency import Frequency
from badger_sweeps.tasks.guessing_game import GuessingGame
from badger_sweeps.topologies.random import RandomLinks
from badger_sweeps.training.experiment import Training
from badger_sweeps.training.perturbed_replicas import perturbed_replicas
from badger_sweeps.training.population import Population
from tests.evaluation.populations import context_after, experiment, measure_named, trained


def test_the_games_are_the_same_every_time_and_no_member_trains_on_them() -> None:
    setup = experiment()
    one, again = (EvaluationGames(setup, setup.engine, 1000, 0.01).games for _ in range(2))
    assert torch.equal(one.targets, again.targets)
    assert torch.equal(one.state["h"], again.state["h"])
    drawn = Population(setup).draw_games().targets
    assert not (one.targets[:, :, None] == drawn[:, None]).all(dim=-1).any()


def test_the_loss_is_that_of_a_rollout() -> None:
    seen = context_after(experiment(), iterations=3)
    guesses = Reference().rollout(seen.objective, seen.parameters, seen.games).guesses[-1]
    expected = 3 * (guesses - seen.targets).square().mean(dim=1)
    found = measure_named("fixed_loss").measure(seen)
    torch.testing.assert_close(found["evaluation/loss"], expected.mean(dim=1), rtol=1e-5, atol=1e-6)
    for dim in range(2):
        torch.testing.assert_close(found[f"evaluation/loss_dim/{dim}"], expected[:, dim], rtol=1e-5, atol=1e-6)


def test_outputs_average_to_the_guess() -> None:
    seen = context_after(experiment(), iterations=3)
    torch.testing.assert_close(seen.outputs.mean(dim=2), seen.guesses, rtol=1e-4, atol=1e-6)


def test_the_last_inner_step_is_the_outer_measurement() -> None:
    seen = context_after(experiment(), iterations=3)
    outer, inner = measure_named("binding").measure(seen), measure_named("inner_binding").measure(seen)
    for given in ("", "_given_target"):
        torch.testing.assert_close(inner[f"binding/inner{given}"][:, -1], outer[f"binding/outer{given}"])


def test_conditioning_on_the_target_removes_information_shared_only_through_it() -> None:
    """Experts without edges that copy the target, each with its own noise: B and MI are high, and 0 given the target.

    The noise is the noise floor: n outputs of equal correlation 1/(1 + s^2) per dimension. The spread of the 8 members
    estimates the sampling error. Targets are Gaussian here: for uniform targets the copula's values are a little lower.
    """
    setup = experiment(seeds=tuple(range(8)))
    seen = context_after(setup)
    targets = torch.randn(8, 1000, 2, generator=torch.Generator().manual_seed(0))
    seen.evaluation.conditions = Conditions.on(targets)
    seen.__dict__["outputs"] = targets[:, :, None].expand(-1, -1, 3, -1)
    found = measure_named("binding").measure(seen)
    rho, n = 1 / 1.01, 3
    nats = (-math.log(1 - rho) - (n - 1) * math.log(1 + (n - 1) * rho) + n * math.log(1 + (n - 2) * rho)) / 2
    raw, given = found["binding/outer"], found["binding/outer_given_target"]
    # Ranks blur correlations near 1: up to 0.03 bits per dimension at 1000 games (tests of the copula).
    assert raw.mean() == pytest.approx(2 * nats / math.log(2), abs=0.1 + 3 * float(raw.std()) / math.sqrt(8))
    assert given.mean() == pytest.approx(0, abs=3 * float(given.std()) / math.sqrt(8) + 0.01)


def test_identical_states_share_the_information_that_the_noise_floor_leaves() -> None:
    setup = experiment(seeds=(0, 1, 2, 3))
    seen = context_after(setup)
    one = torch.randn(4, 1000, 1, 6, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 3, -1)
    seen.__dict__["_trace"] = seen._trace._replace(states={"h": one[None]})
    found = MutualInformation(components=6).measure(seen)["mi/mean"]
    # The sampling error of one component is 1/sqrt(1000)/ln 2 = 0.046 bits; ranks lose up to 0.03 a component.
    assert found.mean() == pytest.approx(6 * saturation(0.01), abs=6 * 0.03 + 3 * 0.046 * math.sqrt(6 / 12))


def test_captured_variance_is_1_before_training_with_as_many_components_as_states() -> None:
    seen = context_after(experiment())
    found = MutualInformation(components=6).measure(seen)
    assert found["mi/captured_variance"].tolist() == pytest.approx([1, 1])


def test_pairs_have_columns_up_to_the_maximum_number_of_experts() -> None:
    setup = experiment(topology=RandomLinks(experts=4, links=1))
    names = MutualInformation(pair_columns_up_to=4).columns(setup)
    pairs = ["mi/00__01", "mi/00__02", "mi/00__03", "mi/01__02", "mi/01__03", "mi/02__03"]
    assert [name for name in names if "__" in name] == pairs
    assert not [name for name in MutualInformation(pair_columns_up_to=3).columns(setup) if "__" in name]


def test_pairs_are_summarised() -> None:
    found = MutualInformation().measure(context_after(experiment(), iterations=2))
    pairs = torch.stack([found[f"mi/{pair}"] for pair in ("00__01", "00__02", "01__02")], dim=1)
    torch.testing.assert_close(found["mi/mean"], pairs.mean(dim=1))
    assert torch.equal(found["mi/min"], pairs.amin(dim=1))
    assert torch.equal(found["mi/max"], pairs.amax(dim=1))


@pytest.mark.parametrize(("phases", "rank"), [("common", 2), ("independent", 6)])
def test_targets_in_a_plane_are_conditioned_on_in_that_plane(phases: str, rank: int) -> None:
    setup = experiment(task=Frequency(dims=9, frequencies=3, phases=phases))
    evaluation = EvaluationGames(setup, setup.engine, 1000, 0.01)
    assert evaluation.coordinates.shape == (2, 1000, rank)
    assert evaluation.outputs_basis.directions.shape == (2, 9, min(rank, OUTPUT_COMPONENTS))
    # No information on the targets is lost: they are a linear function of the conditions.
    for targets, conditions in zip(evaluation.games.targets, evaluation.coordinates, strict=True):
        left = targets - targets.mean(dim=0)
        solved = torch.linalg.lstsq(conditions, left).solution
        assert float((conditions @ solved - left).abs().max()) < 1e-4


def test_targets_that_span_their_space_keep_their_coordinates() -> None:
    setup = experiment(task=GuessingGame(dims=6))
    evaluation = EvaluationGames(setup, setup.engine, 1000, 0.01)
    torch.testing.assert_close(
        evaluation.coordinates + evaluation.outputs_basis.mean[:, None], evaluation.games.targets
    )
    expected = torch.eye(6)[:, :OUTPUT_COMPONENTS].expand(2, -1, -1)
    torch.testing.assert_close(evaluation.outputs_basis.directions, expected)


def test_gradients_per_dimension_add_up_to_the_engine_s() -> None:
    from badger_sweeps.evaluation.gradients import GradientConflict
    from badger_sweeps.measures.landscape.conflict import conflict

    setup = experiment(training=Training(iterations=30, batch_size=16, inner_steps=6, loss_steps=2))
    seen = context_after(setup, iterations=2)
    played = seen.games.first(64)
    parts = setup.engine.pullback(seen.objective, seen.parameters, played, by_dimension(played, 2)).gradients
    whole = setup.engine.pullback(seen.objective, seen.parameters, played).gradients[0]
    torch.testing.assert_close(parts.mean(dim=0), whole, rtol=1e-4, atol=1e-6)
    found = GradientConflict(games=64).measure(seen)["gradient/cancellation"]
    torch.testing.assert_close(found, conflict(parts.movedim(0, 1)).cancellation, rtol=1e-4, atol=1e-6)


def test_the_hessian_s_ends_are_those_of_the_whole_matrix() -> None:
    from badger_sweeps.evaluation.saddles import Saddles, _outer_loss

    seen = context_after(experiment(seeds=(4,)), iterations=5)
    matrix = torch.func.hessian(_outer_loss(seen, 0, 8))(seen.parameters.flat[0].double())
    exact = torch.linalg.eigvalsh(matrix)
    found = Saddles(games=8, eigenvalues=4).measure(seen)
    size = float(exact.abs().max())
    torch.testing.assert_close(found["hessian/smallest"][0], exact[:4], rtol=0, atol=2e-4 * size)
    torch.testing.assert_close(found["hessian/largest"][0], exact[-1], rtol=0, atol=2e-4 * size)
    assert float(found["hessian/index"][0]) == min(4, int((exact < -1e-4 * size).sum()))
    assert float(found["hessian/weights"][0]) == len(exact)


def test_the_inner_exponent_is_how_a_small_perturbation_grows() -> None:
    """Over the length of a second rollout, by finite differences in float64 along the same initial direction."""
    from badger_sweeps.evaluation.inner_chaos import InnerChaos

    seen = context_after(experiment(seeds=(4,)), iterations=5)
    found = InnerChaos(games=2).measure(seen)
    variables = 3 * (6 + 2) + 2
    direction = torch.randn(variables, 1, generator=seen.generator(), dtype=torch.float64)
    direction = torch.linalg.qr(direction).Q[:, 0]
    played = seen.games.first(2)
    h, m, g = direction.split([3 * 6, 3 * 2, 2])
    weights = Weights(seen.parameters.flat.double(), seen.parameters.shapes)

    def end(size: float, steps: int) -> torch.Tensor:
        from badger_sweeps.architectures.base import Observation

        state = {
            "h": played.state["h"].double() + size * h.view(3, 6),
            "m": played.state["m"].double() + size * m.view(3, 2),
        }
        guess = torch.zeros_like(played.targets).double() + size * g
        for _ in range(steps):
            error = 3 * (guess - played.targets.double()).square().mean(dim=-1)
            state, outputs = seen.system.architecture.step(
                weights, seen.adjacency.double(), state, Observation(error, guess, played.inputs.double())
            )
            guess = outputs.mean(dim=2)
        return torch.cat([state["h"].flatten(2), state["m"].flatten(2), guess], dim=2)

    first, second = ((end(1e-6, steps) - end(-1e-6, steps)).norm(dim=2) for steps in (6, 12))
    assert float(found["lyapunov/inner"]) == pytest.approx(float((second / first).log().mean() / 6), abs=1e-4)


def test_frequencies_account_for_the_whole_error() -> None:
    """Parseval: the mean error over frequencies plus the error out of band is the loss."""
    setup = experiment(task=Frequency(dims=9, frequencies=3))
    seen = context_after(setup, iterations=4)
    found = measure_named("frequencies").measure(seen)
    from badger_sweeps.measures.frequencies import spectrum

    parts = spectrum(seen.guesses, seen.targets, 3)
    torch.testing.assert_close(
        parts.error.mean(dim=1) + found["frequency/out_of_band"], seen.error.mean(dim=1).double(), rtol=1e-4, atol=1e-5
    )
    assert torch.equal(found["frequency/coherent/02"], parts.coherent[:, 1])


def test_perturbed_replicas_start_at_the_perturbation_and_stay_equal_without_one() -> None:
    setup = experiment()
    population, _ = trained(setup, 3)
    state = population.state_dict()
    apart = perturbed_replicas(setup, state, iterations=5, perturbation=1e-4)
    assert apart.distance.shape == (2, 5)
    np.testing.assert_allclose(apart.distance[:, 0] / apart.length, 1e-4, rtol=0.01)
    together = perturbed_replicas(setup, state, iterations=5, perturbation=0.0)
    assert torch.equal(together.distance, torch.zeros(2, 5, dtype=torch.float64))


def test_perturbed_replicas_do_not_change_the_population_they_start_from() -> None:
    setup = experiment()
    population, _ = trained(setup, 3)
    before = population.parameters.flat.clone()
    perturbed_replicas(setup, population.state_dict(), iterations=3)
    assert torch.equal(population.parameters.flat, before)


def test_guesses_of_zero_have_no_power_and_equal_numbers_are_alike() -> None:
    seen = context_after(experiment(), iterations=2)
    found = measure_named("guesses").measure(seen)
    torch.testing.assert_close(found["guess/mse"], seen.error.mean(dim=1), rtol=1e-5, atol=1e-6)
    absolute = 2 * (seen.guesses - seen.targets).abs().mean(dim=(1, 2))
    torch.testing.assert_close(found["guess/l1"], absolute, rtol=1e-5, atol=1e-6)

    def measured(guesses: torch.Tensor) -> dict[str, torch.Tensor]:
        fresh = context_after(experiment(), iterations=0)
        fresh.__dict__["_trace"] = fresh._trace._replace(guesses=guesses[None])
        return measure_named("guesses").measure(fresh)

    targets = seen.targets
    assert measured(torch.zeros_like(targets))["guess/power"].tolist() == [0, 0]
    solved = measured(targets)
    # Targets are uniform, with variance 1/3: of 2000 squares of deviation sqrt(4/45) the mean is known to 0.02.
    torch.testing.assert_close(solved["guess/power"], torch.ones(2).double(), rtol=0, atol=0.06)
    torch.testing.assert_close(solved["guess/alike"], torch.full((2,), 0.5).double(), rtol=0, atol=0.06)
    same = measured(targets[..., :1].expand_as(targets))
    torch.testing.assert_close(same["guess/alike"], torch.ones(2).double(), rtol=1e-6, atol=0)


def test_message_ablation_is_the_loss_on_a_graph_without_edges() -> None:
    seen = context_after(experiment(), iterations=3)
    found = measure_named("message_ablation").measure(seen)["message_ablation/loss"]
    without_edges = replace(seen.objective, adjacency=torch.zeros_like(seen.adjacency))
    guesses = Reference().rollout(without_edges, seen.parameters, seen.games).guesses[-1]
    expected = 3 * (guesses - seen.targets).square().mean(dim=(1, 2))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, seen.error.mean(dim=1), rtol=1e-6)


def test_the_last_inner_step_has_the_values_of_the_outer_measures() -> None:
    setup = experiment(task=Frequency(dims=9, frequencies=3))
    seen = context_after(setup, iterations=4)
    found, outer = measure_named("inner_loop").measure(seen), measure_named("frequencies").measure(seen)
    torch.testing.assert_close(found["inner/loss"][:, -1], seen.error.mean(dim=1), rtol=1e-5, atol=1e-6)
    for k in (1, 3):
        for name in ("coherent", "amplitude"):
            inner = found[f"inner/{name}/{k:02d}"][:, -1]
            torch.testing.assert_close(inner, outer[f"frequency/{name}/{k:02d}"].float(), rtol=1e-4, atol=1e-5)
    guesses = Reference().rollout(seen.objective, seen.parameters, seen.games).guesses
    first = (guesses[0].square().mean(dim=(1, 2)) * 3).sqrt()  # the guess before it is zero
    third = ((guesses[2] - guesses[1]).square().mean(dim=(1, 2)) * 3).sqrt()
    torch.testing.assert_close(found["inner/change"][:, 0], first, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found["inner/change"][:, 2], third, rtol=1e-4, atol=1e-6)
    size = seen.h.square().mean(dim=(1, 2, 3)).sqrt()
    torch.testing.assert_close(found["inner/state_size"][:, -1], size, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reset_gate", [True, False])
def test_gates_are_those_of_the_steps_that_were_taken(reset_gate: bool) -> None:
    """Computed step by step: h' = a*h + b*(z*h + (1 - z)*v) and c = a + b*z, with z and v from every step's input."""
    architecture = Exponential(hidden=6, message=2, a=0.5, b=0.9, reset_gate=reset_gate)
    seen = context_after(experiment(architecture=architecture), iterations=3)
    found = measure_named("gates").measure(seen)
    weights, state = seen.parameters, seen.games.state
    h, m = (state[name][:, :64] for name in "hm")
    targets = seen.targets[:, :64]
    guess = torch.zeros_like(targets)
    growing = []
    for step in range(6):
        error = 3 * (guess - targets).square().mean(dim=-1)
        received = torch.einsum("pij,pgjm->pgim", seen.adjacency, m)
        x = torch.cat([received, error[..., None, None].expand(-1, -1, 3, 1)], dim=-1).flatten(1, 2)
        z, v = architecture.gates(weights, x, h.flatten(1, 2))
        carried = 0.5 + 0.9 * z
        torch.testing.assert_close(found["gate/carried"][:, step], carried.mean(dim=(1, 2)), rtol=1e-4, atol=1e-5)
        growing.append((carried > 1).double().mean(dim=(1, 2)))
        h = (0.5 * h.flatten(1, 2) + 0.9 * (z * h.flatten(1, 2) + (1 - z) * v)).view_as(h)
        emitted = torch.einsum("pgeh,poh->pgeo", h, weights["weight_out"]) + weights["bias_out"][:, None, None]
        m, guess = emitted[..., :2], emitted[..., 2:].mean(dim=2)
    torch.testing.assert_close(found["gate/growing"], torch.stack(growing).mean(dim=0), rtol=0, atol=1e-3)
