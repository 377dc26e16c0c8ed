"""Every study's figure, on runs in which its claim or the opposite was planted, and where they would mislead."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.claims import communication, guessing_game, hurst, l1_loss, mutual_information, ray_interference, topology
from badger_sweeps.measures.landscape.rays import Learning
from badger_sweeps.reporting.inference.evidence import NOT_REPRODUCED, REPRODUCED, UNDECIDED, judge_findings
from badger_sweeps.reporting.plotting.chart import Area, Line
from badger_sweeps.reporting.reading.arms import MissingError
from badger_sweeps.reporting.studies.claims import claim_of
from tests.analysis import planted
from tests.analysis.made_arms import BUDGET, SEEDS, arm, constant, one_by_one, staircase
from tests.analysis.planted import (
    CASES,
    LATE,
    Made,
    binding,
    escapes,
    frequencies,
    guessing,
    inner_loop,
    judge,
    named,
    update,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "made"),
    [
        pytest.param(name, kind, made, id=f"{name}-{place}-{kind}")
        for name, cases in CASES.items()
        for place, (kind, made) in enumerate(cases)
    ],
)
def test_the_verdict_is_that_which_was_planted(name: str, kind: str, made: Made) -> None:
    found = judge(name, made())
    assert found.kind == kind, found


SOME, NONE, OTHER = "has an effect", "has no effect that is shown", "has an effect of the other direction"


@pytest.mark.parametrize(
    ("share", "cause", "objective", "feedback"),
    [
        (1.0, "the outer objective causes more of the difference", SOME, NONE),
        (0.0, "the feedback causes more of the difference", NONE, SOME),
        (1.5, "the outer objective causes more of the difference", SOME, OTHER),
        (0.5, "which of the two causes more of the difference is open", SOME, SOME),
    ],
)
@pytest.mark.parametrize("escape", [(200, 400), (400, 200)])
def test_the_verdict_on_l1_says_which_choice_causes_the_difference(
    escape: tuple[float, float], share: float, cause: str, objective: str, feedback: str
) -> None:
    found = judge("l1_loss", planted.l1(escape, (900, 900), (0.01, 0.01), objective=share))
    each = f"the outer objective {objective}, the feedback {feedback}"
    assert str(found) == f"reproduced; {cause} ({each})"


def test_the_effects_of_both_choices_add_up_to_the_difference() -> None:
    draws = np.random.default_rng(0)
    values = {name: draws.normal(size=9) for name in ("mse", "minimised_l1", "told_l1", "l1")}
    objective, feedback = l1_loss.effects(values)
    np.testing.assert_allclose(objective + feedback, values["l1"] - values["mse"])
    alone = {name: np.zeros(9) for name in values} | {"minimised_l1": np.ones(9), "l1": np.ones(9)}
    assert [effect.tolist() for effect in l1_loss.effects(alone)] == [[1.0] * 9, [0.0] * 9]


def test_without_a_difference_there_is_no_remark() -> None:
    assert judge("l1_loss", planted.l1((200, 200), (900, 900), (0.01, 0.01))).remark == ""


def test_a_study_whose_runs_lack_a_measure_says_which() -> None:
    with pytest.raises(MissingError, match="`message_ablation/loss` was not measured in linked"):
        judge("communication", named(escapes(200, "linked"), escapes(200, "unlinked")))


def test_a_seed_that_diverged_has_exploded() -> None:
    arms = dict(update(8, 0.99))
    losses = staircase(one_by_one(8, spread=2))
    losses[:7, 1500:] = np.nan
    inner = {"inner/state_size": (LATE, np.ones((SEEDS, 2, 10))), "gate/carried": (LATE, np.full((SEEDS, 2, 10), 0.7))}
    inner["gate/growing"] = (LATE, constant(0.1, count=2))
    exploded = arm("exponential_alike", losses, inner, **{"architecture.a": 0.5, "architecture.b": 0.7})
    arms["exponential_alike"] = exploded
    found = judge("exponential_update", arms)
    assert found.kind == NOT_REPRODUCED
    assert "do not explode" in found.because


def test_guesses_before_training_are_not_those_of_the_first_plateau_or_after_it() -> None:
    arms = guessing(1500, 0.95, together=False)
    measures = arms["many"].run.snapshot_measures
    assert measures is not None
    measures.loc[measures["iteration"] == 0, ["guess/power", "guess/alike"]] = [3.0, 0.0]
    assert judge("guessing_game", arms).kind == REPRODUCED


def test_an_inner_loop_that_has_learned_nothing_says_nothing() -> None:
    """It stands still, or moves, for other reasons: that decides neither study of inner loops."""
    for name, last in (("frequency_lstm", 0.0001), ("frequency_quantized", 0.001)):
        common = frequencies("once", "common", inner_loop(last), final=1.0)
        found = judge(name, named(common, frequencies("once", "independent")))
        assert found.kind == UNDECIDED
        assert "could be measured on 0 seeds" in found.because


def test_a_seed_without_modes_to_count_does_not_count_as_one_that_has_none() -> None:
    values = {name: np.full((SEEDS, 2), np.nan) for name in ("oscillating", "surrogates_most", "power", "none")}
    for column in values.values():
        column[0] = 1.0  # one seed alone was measured
    values |= {name: np.full((SEEDS, 2), 0.9) for name in ("r2", "persistence_r2")}
    measured = {f"modes/{name}": (LATE, column) for name, column in values.items()}
    assert judge("dmd", {"badger": escapes(200, "badger", measured)}).kind == UNDECIDED


def test_a_change_of_little_information_is_finite_and_drops_no_seed() -> None:
    """An estimate corrected for bias is about 0 where there is no information, and may be 0 on a plateau."""
    moments = np.arange(0, BUDGET, 50)
    noise = np.random.default_rng(0).normal(0, 0.05, (SEEDS, len(moments)))
    noise[:4, ::2] = 0.0
    measured = {name: (moments.tolist(), noise) for name in ("mi/mean", "mi_given_target/mean", "mi/00__01")}
    info = mutual_information.compute(named(*(escapes(200, name, measured) for name in ("linked", "unlinked"))))
    assert np.isfinite(info.plateau_change).all()
    assert ((info.plateau_change >= 0) & (info.plateau_change <= 2)).all()
    constant_on_plateaus, *_ = judge_findings(mutual_information.findings(info))
    assert constant_on_plateaus.seeds == SEEDS
    assert constant_on_plateaus.holds is False
    assert constant_on_plateaus.effect is not None
    assert constant_on_plateaus.effect.value == pytest.approx(info.plateau_change.mean())


@pytest.mark.parametrize(
    ("first", "last", "change"),
    [
        (5.0, 5.5, 0.5 / 5.25),
        (5.5, 5.0, 0.5 / 5.25),
        (0.0, 0.0, 0.0),
        (0.0, 1e-9, 2.0),
        (-1.0, 1.0, 2.0),
        (-2.0, -3.0, 0.4),
    ],
)
def test_a_change_is_relative_to_both_values(first: float, last: float, change: float) -> None:
    assert mutual_information.relative_change(first, last) == pytest.approx(change)


def test_seeds_without_a_plateau_on_which_information_was_measured_are_counted() -> None:
    """One seed leaves its plateaus too soon, another was not measured on them."""
    moments = np.arange(0, BUDGET, 50)
    values = np.full((SEEDS, len(moments)), 5.0)
    values[1, moments < 1500] = np.nan
    times = one_by_one(200, spread=2)
    times[0] = 8
    measured = {name: (moments.tolist(), values) for name in ("mi/mean", "mi_given_target/mean", "mi/00__01")}
    arms = named(*(arm(name, staircase(times), measured) for name in ("linked", "unlinked")))
    constant_on_plateaus, *_ = mutual_information.findings(mutual_information.compute(arms))
    assert constant_on_plateaus.seeds == 6
    assert "(2 of 8 seeds without a plateau on which it was measured twice)" in constant_on_plateaus.unit


def test_the_effect_of_message_ablation_is_taken_where_both_losses_are_known() -> None:
    measured = {
        "message_ablation/loss": ([0, 1000, BUDGET], np.tile([1.0, 0.7, 0.9], (SEEDS, 1))),
        "evaluation/loss": ([0, 1000, 1900], np.tile([1.0, 0.2, 0.1], (SEEDS, 1))),
    }
    effect = communication._ablation(escapes(200, "linked", measured))
    np.testing.assert_allclose(effect, 0.5)


def test_times_are_exchanged_within_seeds_alone() -> None:
    """Seeds that are fast on every graph say nothing about graphs: no rank correlation is significant."""
    rate = np.tile([0.1, 0.2, 0.3, 0.4], (8, 1)).T + np.random.default_rng(0).normal(0, 1e-3, (4, 8))
    time = np.tile(np.arange(8.0) * 100, (4, 1)) + np.random.default_rng(1).normal(0, 1, (4, 8))
    coefficient, p_value = topology._within_seeds(rate.ravel(), time.ravel(), 4)
    assert abs(coefficient) < 0.3
    assert p_value > 0.05


def test_only_plateaus_that_are_long_enough_and_not_the_solution_are_taken() -> None:
    badger = arm("badger", staircase(one_by_one(600, 300, 2, 0), 2000))
    assert hurst._stretches(badger.outcomes[0], 1, 2000) == [
        (plateau.start, plateau.end)
        for plateau in badger.outcomes[0].plateaus
        if plateau.staircase_level > 0 and plateau.duration > 512
    ]
    assert len(hurst._stretches(badger.outcomes[0], 1, 2000)) == 1
    assert hurst._stretches(badger.outcomes[0], 4, 500) == []  # every fourth value: too few


def test_one_lines_color_is_that_of_its_arm() -> None:
    module = claim_of("binding_outer")
    assert module is not None
    chart = module.draw(module.compute(binding(8, 2)))
    labels = {mark.label: mark.color for panel in chart.panels for mark in panel.marks if isinstance(mark, Line)}
    assert labels["linked"] == 0
    assert labels["unlinked"] == 1


def test_captions_state_the_sizes_of_the_runs_they_show() -> None:
    """The quick scale has other ones than the document's."""
    for name, words in (("topology", "7 experts and 32 edges"), ("saddles", "7 experts with 5 hidden units")):
        _, made = CASES[name][0]
        arms = made()
        for changed in arms.values():
            changed.run.config.update({"topology.experts": 7, "architecture.hidden": 5})
        module = claim_of(name)
        assert module is not None
        assert words in module.draw(module.compute(arms)).caption


@pytest.mark.parametrize("kind", ["rl", "supervised"])
def test_the_toys_shaded_bands_are_where_one_dimension_is_unlearned(kind: Learning) -> None:
    """Under RL where f_k < f_j/2, supervised where J_k > (1 + J_j)/2, at points off the lines between."""
    bands = ray_interference._winner_takes_all(kind)
    for first, second in np.random.default_rng(0).uniform(0.02, 0.98, (300, 2)):
        f, g = first * (1 - first), second * (1 - second)
        margins = (f - g / 2, g - f / 2) if kind == "rl" else ((1 + second) / 2 - first, (1 + first) / 2 - second)
        if min(map(abs, margins)) < 0.02:
            continue
        wanted = {ray_interference.SECOND} if margins[0] < 0 else {ray_interference.FIRST} if margins[1] < 0 else set()
        found = set()
        for band in bands:
            assert isinstance(band, Area)
            x, low, high = (np.asarray(edge) for edge in (band.x, band.low, band.high))
            if x[0] <= first <= x[-1] and np.interp(first, x, low) <= second <= np.interp(first, x, high):
                found.add(band.color)
        assert found == wanted


def test_what_random_directions_make_of_the_numbers() -> None:
    """Projections on 5 random ones of 20 dimensions: J_d is their diagonal. 4 standard errors of 400 draws."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        basis, _ = np.linalg.qr(rng.standard_normal((20, 5)))
        learned = (basis**2).sum(axis=1)
        found.append((learned**2).sum() / learned.sum())
    error = np.std(found) / 20
    assert guessing_game.along_directions(5 / 20, 20) == pytest.approx(np.mean(found), abs=4 * error)
    assert guessing_game.along_directions(1.0, 20) == 1.0


def test_training_has_converged_after_the_last_block_that_is_not_below_the_bound() -> None:
    times = np.array([[100, 200, 300], [100, 200, np.inf]])
    losses = np.tile(staircase(times, noise=0.0), (4, 1, 1))
    losses[0, 900, 0] = 1.0  # once more above it
    few = arm("few", losses)
    block = few.run.summary.staircase.block
    late, never, early = guessing_game._converged(few)[:3]
    assert late == 900 // block * block + block
    assert never == few.budget
    assert early == -(-300 // block) * block


def test_more_negative_eigenvalues_of_more_weights_are_not_a_larger_share() -> None:
    module = claim_of("saddles")
    assert module is not None
    found = judge_findings(module.findings(module.compute(planted.saddles(True, 500, step=3))))
    share, number = (finding for finding in found if not finding.decides_verdict)
    assert (share.statement.startswith("the share"), share.holds) == (True, False)
    assert (number.statement.startswith("the number"), number.holds) == (True, True)


def test_noise_alone_does_not_make_a_dimension_drop() -> None:
    """Both are learned one after the other, and the batches' noise at chance is that of 64 games."""
    losses = staircase(one_by_one(300, 600, 2), noise=np.sqrt(0.8 / 64))
    module = claim_of("ray_interference")
    assert module is not None
    for drop, holds in ((0.0, None), (0.4, True)):
        changed = losses.copy()
        changed[:, 500:800, 1] += 0.4 if drop else 0.0
        found = judge_findings(module.findings(module.compute({"badger": arm("badger", changed)})))
        assert found[-1].statement.startswith("the dimension that is learned later drops")
        assert found[-1].holds is holds
