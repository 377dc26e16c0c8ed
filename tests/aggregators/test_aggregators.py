"""Aggregators beside TorchJD's on whole matrices, closed forms, and what each of them promises."""

from __future__ import annotations

import math
import subprocess
import sys

import cvxpy
import numpy as np
import pytest
import torch
import torchjd.aggregation as torchjd
from torch import Tensor

from badger_sweeps.aggregators.base import Aggregator
from badger_sweeps.aggregators.cagrad import CAGrad
from badger_sweeps.aggregators.dual_cone import NonNegativeProjector
from badger_sweeps.aggregators.mean import MeanGradient
from badger_sweeps.aggregators.mgda import MGDA
from badger_sweeps.aggregators.pcgrad import PCGrad
from badger_sweeps.aggregators.upgrad import UPGrad
from badger_sweeps.core.random_streams import Purpose, RandomStreams
from tests.choices import choices_of, small

BY_DIMENSION = [name for name in choices_of("aggregator") if name != "mean"]
YU = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
"""Two gradients that conflict; of any two there is but one order in which each meets the other."""


def streams(members: int = 1, first: int = 0) -> RandomStreams:
    return RandomStreams(range(first, first + members), Purpose.AGGREGATION)


def combined(aggregator: Aggregator, gradients: Tensor, drawing: RandomStreams | None = None) -> Tensor:
    """Of one member, whose gradients are rows."""
    return aggregator.combine(gradients[:, None], drawing or streams())[0]


def drawn(dims: int, weights: int, seed: int) -> Tensor:
    return torch.randn(dims, weights, generator=torch.Generator().manual_seed(seed))


def test_gradient_surgery_s_closed_form() -> None:
    """g1 = (1, 0), g2 = (-1, 1): their sum after surgery is (0.5, 1.5); we give half of it, on the mean's scale."""
    torch.testing.assert_close(combined(PCGrad(), YU), torch.tensor([0.25, 0.75]))


def test_the_shortest_vector_between_two() -> None:
    """MGDA: of the segment from (1, 0) to (-1, 1) the point next to 0 is w g1 + (1 - w) g2 with w = 3/5: (1/5, 2/5).

    Of two the first Frank-Wolfe step with its exact line search is the answer.
    """
    torch.testing.assert_close(combined(MGDA(), YU), torch.tensor([0.2, 0.4]))


def test_the_mean_of_projections() -> None:
    """UPGrad: g1 is projected onto {x . g2 >= 0}, where it becomes (1/2, 1/2), and g2 onto {x . g1 >= 0}: (0, 1)."""
    torch.testing.assert_close(combined(UPGrad(), YU), torch.tensor([0.25, 0.75]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("length", [1.0, 1e-3, 1e-6, 1e-9, 1e-12])
def test_projections_do_not_depend_on_the_gradients_lengths(length: float) -> None:
    """A short g2 becomes (0, length), and turns g1 to (1/2, 1/2) as a long one does."""
    short = YU.double() * torch.tensor([[1.0], [length]], dtype=torch.float64)
    expected = torch.tensor([0.25, 0.25 + length / 2], dtype=torch.float64)
    torch.testing.assert_close(combined(UPGrad(), short), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("still", [0.0, 1e-9])
def test_a_dimension_at_rest_stops_no_other(still: float) -> None:
    """CAGrad goes on along the mean where nothing gains in all dimensions; projections leave the others as they are."""
    gradients = torch.eye(3, 5) * torch.tensor([1.0, 1.0, still])[:, None]
    for aggregator in (CAGrad(), UPGrad(), PCGrad()):
        found = combined(aggregator, gradients)
        assert float(torch.cosine_similarity(found, gradients.mean(dim=0), dim=0)) > 0.99, aggregator
        assert float(found.norm()) > 0.5 * float(gradients.mean(dim=0).norm())
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    assert float(combined(CAGrad(), opposite)[1]) > 0.1


def test_near_the_mean() -> None:
    """CAGrad maximises the least gain within the ball around the mean: beside a search over the ball's edge."""
    c, mean = 0.5, YU.mean(dim=0)
    angles = torch.linspace(0, 2 * math.pi, 100_001, dtype=torch.float64)
    edge = mean + c * mean.norm() * torch.stack([angles.cos(), angles.sin()], dim=1)
    best = edge[(edge @ YU.double().T).amin(dim=1).argmax()]
    torch.testing.assert_close(combined(CAGrad(c=c), YU).double(), best, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(combined(CAGrad(c=0.0), YU), mean)


PEERS = {
    "pcgrad": lambda dims: (PCGrad(), torchjd.PCGrad(), 1 / dims),
    "upgrad": lambda _: (UPGrad(), torchjd.UPGrad(projector=NonNegativeProjector()), 1.0),
    "mgda": lambda _: (MGDA(), torchjd.MGDA(), 1.0),
    "cagrad": lambda _: (CAGrad(c=0.4), torchjd.CAGrad(c=0.4), 1.0),
}


@pytest.mark.parametrize("choice", BY_DIMENSION)
@pytest.mark.parametrize(("dims", "weights", "seed"), [(1, 9, 0), (2, 5, 1), (4, 300, 2), (4, 2, 3), (7, 40, 4)])
def test_members_get_what_torchjd_makes_of_their_matrix(choice: str, dims: int, weights: int, seed: int) -> None:
    """Of the unit Frobenius norm, as we show it to TorchJD. Its PCGrad is given the order that the member's stream
    says.

    Solvers stop at 1e-4 or so of what they are given; sums of float32 are rounded by 1e-6.
    """
    ours, theirs, scale = PEERS[choice](dims)
    gradients = drawn(dims, weights, seed).double()
    gradients /= gradients.norm()
    found = combined(ours, gradients)
    same_stream = streams()[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**63 - 1, (), generator=same_stream)))
        expected = theirs(gradients) * scale
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("choice", choices_of("aggregator"))
def test_without_conflict_it_may_be_the_mean(choice: str) -> None:
    """Orthogonal gradients of one length: the mean for surgery and projections, and for MGDA the shortest vector, too;
    1 + c times the mean for CAGrad."""
    gradients = torch.eye(4, 6)
    if choice == "mean":
        found = MeanGradient().combine(gradients.mean(dim=0)[None, None], streams())[0]
    else:
        found = combined(small("aggregator", choice), gradients)
    direction = gradients.mean(dim=0)
    assert float(torch.cosine_similarity(found, direction, dim=0)) > 0.999
    times = 1.5 if choice == "cagrad" else 1.0
    torch.testing.assert_close(found, times * direction, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("choice", ["upgrad", "mgda", "cagrad"])
def test_no_dimension_loses(choice: str) -> None:
    """To first order, on 40 draws with strong conflict. CAGrad promises it for c of at least 1 alone.

    Up to where solvers stop: MGDA's Frank-Wolfe when its step is below 1e-3, the others' at 1e-4 and below.
    """
    bound = 2e-2 if choice == "mgda" else 1e-4
    aggregator = CAGrad(c=1.0) if choice == "cagrad" else small("aggregator", choice)
    for seed in range(40):
        gradients = drawn(4, 30, seed) - 0.2 * drawn(1, 30, seed + 1000) * 4
        gains = gradients @ combined(aggregator, gradients)
        assert float(gains.min()) > -bound * float(gradients.norm() ** 2), (choice, seed)


@pytest.mark.parametrize("choice", BY_DIMENSION)
@pytest.mark.parametrize("factor", [1e-9, 1e6])
def test_the_scale_of_gradients_does_not_matter(choice: str, factor: float) -> None:
    """On a plateau gradients are small: TorchJD's thresholds must not take them for none."""
    aggregator, gradients = small("aggregator", choice), drawn(4, 50, 5)
    found = combined(aggregator, factor * gradients)
    torch.testing.assert_close(found / factor, combined(aggregator, gradients), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("choice", BY_DIMENSION)
def test_zeros_stay_zeros_and_what_is_not_finite_is_not_hidden(choice: str) -> None:
    """Whatever happens to one member reaches no other, and the others' draws do not change."""
    aggregator = small("aggregator", choice)
    gradients = torch.stack([torch.zeros(3, 8), drawn(3, 8, 1), drawn(3, 8, 2), drawn(3, 8, 3)], dim=1)
    gradients[1, 2, 3] = torch.nan
    found = aggregator.combine(gradients, streams(4))
    assert torch.equal(found[0], torch.zeros(8))
    assert found[2].isnan().all()
    for member in (1, 3):
        alone = aggregator.combine(gradients[:, member : member + 1], streams(1, first=member))[0]
        torch.testing.assert_close(found[member], alone, rtol=1e-5, atol=1e-7)


def test_the_order_of_surgery_is_drawn_from_the_member_s_stream_alone() -> None:
    """Another stream, another order, another result; torch's global stream is left as it was."""
    gradients = drawn(5, 4, 7)
    before = torch.get_rng_state()
    found = [combined(PCGrad(), gradients, streams(1, first=seed)) for seed in (0, 0, 1, 2, 3)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found[0], found[1])
    assert not all(torch.allclose(found[0], other) for other in found[2:])
    drawing = streams()
    assert not torch.equal(combined(PCGrad(), gradients, drawing), combined(PCGrad(), gradients, drawing))


@pytest.mark.parametrize("seed", range(8))
def test_the_projection_is_the_quadratic_program_s_answer(seed: int) -> None:
    """Beside an interior-point solver (Clarabel by CVXPY): min v'Gv over v >= u, of matrices of full rank and of
    less."""
    rows = drawn(5, 3 if seed % 2 else 9, seed).double()
    gramian = rows @ rows.T
    u = torch.rand(5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = NonNegativeProjector()(u[None], gramian)[0]
    v = cvxpy.Variable(5)
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(rows.T.numpy() @ v)), [v >= u.numpy()])
    problem.solve(cvxpy.CLARABEL)
    assert (found >= u - 1e-9).all()
    assert float(found @ gramian @ found) == pytest.approx(problem.value, abs=1e-6)
    # The solver's value is right to 1e-7 or so, its vector therefore to the root of that.
    np.testing.assert_allclose(rows.T @ found, rows.T.numpy() @ v.value, atol=1e-3)


def test_the_mean_imports_nothing() -> None:
    """TorchJD and its solvers take seconds, for which only who uses them waits."""
    program = """
import sys
from badger_sweeps.training.experiment import Experiment, Training
from badger_sweeps.training.loop import train
from badger_sweeps.training.population import Population
list(train(Population(Experiment(seeds=(0,), training=Training(iterations=2, batch_size=4, inner_steps=2)))))
assert not {"torchjd", "cvxpy", "pytorch_optimizer"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
