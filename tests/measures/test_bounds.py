"""A trial's bound while it trains, against what the finished run is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from badger_sweeps.measures.bounds import TimeBound
from badger_sweeps.measures.escape import escape_iteration, solved_iteration
from badger_sweeps.measures.objectives import OBJECTIVES, objective, per_seed
from badger_sweeps.measures.outcome_of_history import outcome
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.measures.staircase import Staircase

RULES = {"escape_iteration": escape_iteration, "solved_iteration": solved_iteration}

BOUNDED = ("escape_iteration", "solved_iteration")


def bound_of(name: str, seeds: Sequence[int], staircase: Staircase, budget: int) -> TimeBound:
    bound = OBJECTIVES[name].bound(seeds, staircase, budget)
    assert bound is not None
    return bound


def test_only_times_are_bounded() -> None:
    """Plateaus are found in whole runs, and a loss may always fall."""
    assert {name for name, each in OBJECTIVES.items() if each.bound([0], Staircase(4, 5), 100)} == set(BOUNDED)


@dataclass(frozen=True)
class Member:
    """A member's losses, and whether it diverged, up to the iteration in which it did."""

    loss: NDArray[np.float32]
    diverged: NDArray[np.float32]

    def outcome(self, seed: int, staircase: Staircase) -> SeedOutcome:
        dims = {f"loss_dim/{dim}": self.loss for dim in range(staircase.parts)}
        return outcome(seed, {"loss": self.loss, "diverged": self.diverged, **dims}, staircase)


@dataclass(frozen=True)
class Run:
    staircase: Staircase
    budget: int
    members: list[Member]

    @property
    def outcomes(self) -> list[SeedOutcome]:
        return [member.outcome(seed, self.staircase) for seed, member in enumerate(self.members)]

    def bounds(self, name: str) -> NDArray[np.float64]:
        """What each member counts at least, before the first iteration and after every one; a row for each."""
        bound = bound_of(name, range(len(self.members)), self.staircase, self.budget)
        rows = [bound.per_seed]
        for iteration in range(max(len(member.loss) for member in self.members)):
            here = [seed for seed, member in enumerate(self.members) if iteration < len(member.loss)]
            loss = np.array([self.members[seed].loss[iteration] for seed in here])
            diverged = np.array([self.members[seed].diverged[iteration] for seed in here])
            bound.observe(here, loss, diverged)
            rows.append(bound.per_seed)
        return np.array(rows)


def levels(staircase: Staircase) -> st.SearchStrategy[float]:
    """Block means on and between the levels, and a hair to either side of where escaping and solving are decided."""
    edges = [1 - staircase.tolerance, staircase.tolerance]
    hairs = [np.nextafter(np.float32(edge), np.float32(side)) for edge in edges for side in (0, 2)]
    return st.sampled_from([1.1, *staircase.levels, *edges, *map(float, hairs)])


@st.composite
def member(draw: st.DrawFn, staircase: Staircase, budget: int) -> Member:
    """A walk down the staircase with dips of a block or two, noise or none, which may diverge at any time."""
    stretches = draw(st.lists(st.tuples(levels(staircase), st.integers(1, 4)), min_size=1, max_size=8))
    blocks = [level for level, length in stretches for _ in range(length)]
    shift = draw(st.integers(0, staircase.block - 1))  # steps need not fall on the edges of blocks
    loss = np.repeat([*blocks, blocks[-1]], staircase.block)[shift:]
    loss = np.concatenate([loss, np.full(budget, blocks[-1])])[:budget]
    spread = draw(st.sampled_from([0, 0.02, 0.5]))
    loss = loss + spread * np.random.default_rng(draw(st.integers(0, 99))).standard_normal(budget)
    diverged = np.zeros(budget)
    diverges = draw(st.none() | st.integers(0, budget - 1))
    if diverges is not None:
        loss[diverges] = draw(st.sampled_from([np.nan, np.inf, loss[diverges]]))  # or its gradient alone is not finite
        diverged[diverges] = 1
        loss, diverged = loss[: diverges + 1], diverged[: diverges + 1]
    return Member(loss.astype(np.float32), diverged.astype(np.float32))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Up to four members of different fate; the budget need be no multiple of the block."""
    staircase = Staircase(draw(st.integers(1, 5)), draw(st.integers(2, 9)))
    budget = draw(st.integers(1, 14 * staircase.block))
    return Run(staircase, budget, draw(st.lists(member(staircase, budget), min_size=1, max_size=4)))


@pytest.mark.parametrize("name", BOUNDED)
@given(run=runs())
@settings(max_examples=120, deadline=None)
def test_it_never_exceeds_what_comes_and_never_falls_and_ends_there(name: str, run: Run) -> None:
    """To the last bit: the values are whole numbers, and their means are rounded once."""
    final = per_seed(name, run.outcomes, run.budget)
    bounds = run.bounds(name)
    assert (bounds <= final).all()
    assert (np.diff(bounds, axis=0) >= 0).all()
    assert (bounds[-1] == final).all()
    assert bounds[-1].mean() == objective(name, run.outcomes, run.budget).value


@pytest.mark.parametrize("name", BOUNDED)
@given(run=runs(), data=st.data())
@settings(max_examples=80, deadline=None)
def test_no_larger_bound_would_hold(name: str, run: Run, data: st.DataObject) -> None:
    """From any moment on there is a future that costs no more than the bound: all losses zero from there."""
    seed = data.draw(st.integers(0, len(run.members) - 1))
    known = run.members[seed]
    moment = data.draw(st.integers(0, len(known.loss)))
    assume(not known.diverged[:moment].any())
    # The bound looks at whole blocks only: in the one begun, the best that can be is a mean of zero.
    begun = moment - moment % run.staircase.block
    future = np.zeros(run.budget - begun, dtype=np.float32)
    best = Member(np.concatenate([known.loss[:begun], future]), np.zeros(run.budget, dtype=np.float32))
    bound = run.bounds(name)[moment, seed]
    assert bound == per_seed(name, [best.outcome(seed, run.staircase)], run.budget)[0]


@pytest.mark.parametrize("name", BOUNDED)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_block_means_are_rounded_as_in_the_finished_run(name: str, data: st.DataObject) -> None:
    """Sums of numbers of very different size depend on the order of adding: the threshold is put where it matters."""
    block = data.draw(st.integers(8, 40))
    sizes = st.floats(1e-3, 1e20)
    loss = np.array([[data.draw(sizes) for _ in range(block)]] * 3).ravel()
    staircase = Staircase(4, block)
    threshold = float(staircase.block_means(loss)[0])  # not below itself; a mean that is rounded down would be
    bound = bound_of(name, [0], staircase, 3 * block)
    bound._threshold = threshold
    for value in loss:
        bound.observe([0], np.array([value]), np.array([0.0]))
    assert bound.value == 3 * block


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("left_over", [0, 3])
def test_a_member_at_chance_costs_the_blocks_it_has_been_there(name: str, left_over: int) -> None:
    """In blocks of 5, of which a budget of 40 or 43 holds 8: with the sixth at chance no three are left."""
    run = Run(
        Staircase(4, 5),
        40 + left_over,
        [Member(np.ones(40 + left_over, np.float32), np.zeros(40 + left_over, np.float32))],
    )
    bounds = run.bounds(name)[:, 0]
    assert bounds[:30].tolist() == [iteration // 5 * 5 for iteration in range(30)]
    assert (bounds[30:] == 40 + left_over).all()


@pytest.mark.parametrize("name", BOUNDED)
def test_dips_count_once_they_are_over(name: str) -> None:
    """Two blocks below, one above, three below: the time is that of the last three."""
    loss = np.repeat(np.array([1, 0, 0, 1, 0, 0, 0, 1], dtype=np.float32), 5)
    run = Run(Staircase(4, 5), 40, [Member(loss, np.zeros(40, dtype=np.float32))])
    at_the_end_of_blocks = run.bounds(name)[::5, 0]
    assert at_the_end_of_blocks.tolist() == [0, 5, 5, 5, 20, 20, 20, 20, 20]
    assert RULES[name](loss, run.staircase) == 20


@pytest.mark.parametrize("name", BOUNDED)
def test_a_member_that_escaped_and_then_diverged_costs_the_budget(name: str) -> None:
    loss = np.zeros(33, dtype=np.float32)
    diverged = np.zeros(33, dtype=np.float32)
    diverged[-1] = 1
    bounds = Run(Staircase(4, 5), 100, [Member(loss, diverged)]).bounds(name)[:, 0]
    assert (bounds[:33] == 0).all()
    assert bounds[33] == 100


@pytest.mark.parametrize("name", BOUNDED)
def test_a_budget_without_three_blocks_is_lost_from_the_start(name: str) -> None:
    assert bound_of(name, [0, 1], Staircase(4, 5), 14).value == 14
    assert bound_of(name, [0, 1], Staircase(4, 5), 15).value == 0
