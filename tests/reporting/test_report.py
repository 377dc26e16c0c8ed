"""The report of a real multirun: its numbers and sentences."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from badger_sweeps.commands.main import main
from badger_sweeps.measures.seed_outcome import SeedOutcome
from badger_sweeps.measures.staircase import Staircase
from badger_sweeps.reporting.formatting import connectivity, results
from badger_sweeps.reporting.inference.comparison import Difference, differences, row
from badger_sweeps.reporting.reading.collection import Run, differing_keys, gather
from badger_sweeps.runs.summary import Summary
from badger_sweeps.statistics.estimates import Estimate, PairedDifference
from badger_sweeps.topologies.connectivity import Connectivity
from tests import warm


def test_the_terminal_has_the_same_results(printed: str, study: Path) -> None:
    runs = gather(study).runs
    for run in runs:
        for cell in results.cells(row(run))[:3]:
            assert cell in printed
    assert "left out: unfinished: not finished" in printed
    assert "exponential escapes its first plateau" in printed
    assert printed.rstrip().splitlines()[-1].endswith("report.html")
    assert max(map(len, printed.splitlines()[:-1])) <= 80


def test_nothing_to_report_is_one_line(tmp_path: Path) -> None:
    shown = warm.run([sys.executable, "-m", "badger_sweeps", "report", str(tmp_path)])
    assert shown.returncode == 2
    assert shown.stderr == f"badger-sweeps report: `{tmp_path}` must have finished runs below it; found none.\n"


def outcome(seed: int, escaped: int | None, final_loss: float | None = 0.5) -> SeedOutcome:
    measured = {
        "escape_iteration": escaped, "plateau_iterations": 0, "solved_iteration": None, "final_loss": final_loss
    }  # fmt: skip
    return SeedOutcome(seed, 100, measured, (), diverged=final_loss is None)


def finished(label: str, outcomes: list[SeedOutcome], budget: int = 100) -> Run:
    summary = Summary(
        label, budget, Staircase(4, 5), tuple(outcomes), "escape_iteration", Estimate(0.0, None, None), {}
    )
    return Run(Path(label), label, summary, {"lr": 1, "same": 2, "label": label}, pd.DataFrame())


def test_a_row_counts_escaped_and_diverged_seeds() -> None:
    run = finished("gru", [outcome(0, 10), outcome(1, 20), outcome(2, None), outcome(3, None, final_loss=None)])
    counted = row(run)
    assert (counted.escaped, counted.seeds, counted.median_escape, counted.diverged) == (2, 4, None, 1)
    assert counted.mean_escape.value == (10 + 20 + 100 + 100) / 4
    assert counted.final_loss == (0.5, None, None)
    assert results.cells(counted)[:4] == ["gru", "2/4, 1 diverged", "> 100", "58"]
    assert results.cells(counted)[-1] == "50% [15%, 85%]"  # Wilson: .150, .850


def test_the_table_of_graphs_gives_median_range_and_how_many_have_a_value() -> None:
    run = finished("gru", [outcome(seed, 10) for seed in range(3)])
    graphs = {
        0: Connectivity(4, 8, True, 0.5, 0.25, None),
        1: Connectivity(4, 8, False, 0.0, -0.1, None),
        2: Connectivity(4, 8, True, 1.5, 0.75, 4.0),
    }
    shown = connectivity.cells(replace(run, summary=replace(run.summary, graphs=graphs)))
    assert shown == ["gru", "4", "8", "2/3", "0.5 (0 to 1.5)", "0.25 (-0.1 to 0.75)", "4, 1 of 3 seeds"]
    alone = dict.fromkeys(range(3), Connectivity(1, 0, True, None, None, None))
    shown = connectivity.cells(replace(run, summary=replace(run.summary, graphs=alone)))
    assert shown == ["gru", "1", "0", "3/3", "-", "-", "-"]


def test_a_budget_too_short_for_the_rule_is_no_result() -> None:
    """Three blocks of 5 iterations are needed; with fewer, "not escaped" would be made up."""
    short = finished("short", [outcome(seed, None) for seed in range(8)], budget=14)
    assert results.cells(row(short)) == ["short", "budget too short", "-", "-", "0.5", "-", "-", "-"]
    assert differences([short, short]) == []


def test_a_damaged_run_leaves_out_only_itself(study: Path, tmp_path: Path) -> None:
    spoils = {
        "no_history": lambda run: shutil.rmtree(run / "history.parquet"),
        "bad_history": lambda run: next((run / "history.parquet").iterdir()).write_bytes(b"PAR1"),
        "no_provenance": lambda run: (run / "provenance.json").unlink(),
        "bad_provenance": lambda run: (run / "provenance.json").write_text("[]"),
        "empty_summary": lambda run: (run / "summary.json").write_text(""),
        "no_sessions": lambda run: (run / "provenance.json").write_text('{"sessions": []}'),
        "bad_config": lambda run: (run / ".hydra" / "config.yaml").write_text("a: [1, }"),
        "no_graphs": lambda run: (run / "topology.json").unlink(),
        "bad_measures": lambda run: (run / "measures.parquet").write_bytes(b"PAR1"),
    }
    shutil.copytree(gather(study).runs[0].folder, tmp_path / "good")
    for name, spoil in spoils.items():
        shutil.copytree(tmp_path / "good", tmp_path / name)
        spoil(tmp_path / name)
    collection = gather(tmp_path)
    assert [run.folder.name for run in collection.runs] == ["good"]
    assert sorted(name for name, _ in collection.left_out) == sorted(spoils)


def test_differences_are_paired_by_seed() -> None:
    first = finished("a", [outcome(seed, 10 * seed) for seed in range(8)])
    times = {seed: 10 * seed + 5 if seed < 6 else None for seed in reversed(range(2, 10))}
    second = finished("b", [outcome(seed, time) for seed, time in times.items()], budget=74)
    # no seed solved the task; budgets differ, so that times on plateaus cannot be compared
    (escape_difference,) = differences([first, second])
    assert escape_difference.objective == "escape_iteration"
    assert escape_difference.paired.pairs == 6
    assert escape_difference.budget == 74
    # seeds 2..5: 5 later each; 74 against 74 for seeds 6 and 7, which are censored in both
    assert escape_difference.paired.difference.value == pytest.approx((5 * 4 + 0 + 0) / 6)
    assert differences([first, finished("c", [outcome(77, 1)])]) == []


def test_times_on_plateaus_are_compared_under_one_budget() -> None:
    first = finished("a", [outcome(seed, 10) for seed in range(6)])
    second = finished("b", [outcome(seed, None) for seed in range(6)])
    assert [difference.objective for difference in differences([first, second])] == [
        "escape_iteration",
        "plateau_iterations",
    ]


def test_the_sentence_on_a_difference() -> None:
    sure = Difference("escape_iteration", "gru", "tcnn", 900, PairedDifference(Estimate(-12.3, -30, 2), 0.1, 8), 0.2)
    assert results.sentence(sure) == (
        "tcnn escapes its first plateau 12 iterations earlier than gru [-30, +2], in the mean over the 8 seeds of both "
        "within 900 iterations; p = 0.2."
    )
    too_few = PairedDifference(Estimate(12.3, None, None), None, 3)
    unsure = results.sentence(Difference("plateau_iterations", "gru", "tcnn", 900, too_few, None))
    assert unsure.startswith("tcnn spends 12 more iterations on plateaus than gru, in the mean")
    assert unsure.endswith("too few for a test.")


def test_keys_that_differ() -> None:
    assert differing_keys((finished("a", []), finished("b", []))) == ["label"]


def lead(seconds: list[int], firsts: list[int], others: int = 0) -> list[results.Answer]:
    """The answer for the first plateau, from one comparison among `others` more."""
    runs = [finished("a", [outcome(seed, time) for seed, time in enumerate(firsts)])]
    runs += [finished("b", [outcome(seed, time) for seed, time in enumerate(seconds)])]
    runs += [finished(f"c{number}", [outcome(seed, 99) for seed in range(len(firsts))]) for number in range(others)]
    answers = results.answers(differences(runs, ["escape_iteration"]))
    return [answer for answer in answers if answer.heading == "First plateau"]


def test_an_answer_states_whether_the_difference_is_established() -> None:
    """Eight seeds that agree give p = 2/256 = .0078: enough alone, but not for seven comparisons, which need ten."""
    slow, fast = [80, 81, 82, 83, 84, 85, 86, 88], [10, 12, 14, 16, 18, 20, 22, 24]
    (alone,) = lead(fast, slow)
    assert alone.established
    assert alone.words.startswith("b escapes its first plateau 67 iterations earlier than a [")
    assert alone.words.endswith("p = 0.0078.")
    (among,) = lead(fast, slow, others=6)
    assert not among.established
    assert "All seeds agree, but 8 are too few among 7 comparisons: it takes 9." in among.words
    assert among.words.endswith("The largest of 7 differences is partly luck.")
    (chance,) = lead([10, 90, 20, 90, 70, 85, 90, 70], slow)
    assert not chance.established
    assert chance.words.endswith("That may be chance.")
    (worse,) = lead(slow, fast)
    assert worse == results.Answer("First plateau", None, "Nothing is better than a, the first.")
    (few,) = lead(fast[:4], slow[:4])
    assert "All seeds agree, but 4 are too few: it takes 6." in few.words


def test_an_answer_prefers_an_established_difference_to_a_larger_one_by_chance() -> None:
    firsts = [100 + seed for seed in range(8)]
    runs = [finished("a", [outcome(seed, time) for seed, time in enumerate(firsts)], budget=900)]
    steady = [time - 50 - seed for seed, time in enumerate(firsts)]
    wild = [1, 2, 3, 4, 5, 150, 160, 7]
    for label, times in (("wild", wild), ("steady", steady)):
        runs.append(finished(label, [outcome(seed, time) for seed, time in enumerate(times)], budget=900))
    compared = differences(runs, ["escape_iteration"])
    assert min(compared, key=lambda difference: difference.paired.difference.value).second == "wild"
    (answer,) = results.answers(compared)
    assert answer.established
    assert answer.words.startswith("steady escapes its first plateau")


def test_seeds_that_never_escaped_do_not_spend_the_least_time_on_plateaus() -> None:
    """They may have no detected plateau: at a loss of 9e5 there is none."""
    good = outcome(0, 20, 0.2)
    runs = [finished("good", [replace(good, seed=seed) for seed in range(6)])]
    runs.append(finished("lost", [outcome(seed, None, 9e5) for seed in range(6)]))
    answers = {answer.heading: answer for answer in results.answers(differences(runs))}
    assert answers["All plateaus"].established is None
    assert row(runs[1]).plateau_iterations.value == 100


def test_a_longer_run_is_compared_within_the_budget_of_a_shorter_one() -> None:
    """Blocks have 5 iterations: an escape at 50 requires three of them, and is detected after 65 iterations."""
    long = finished("long", [outcome(seed, 50 if seed % 2 else 40) for seed in range(6)], budget=100)
    short = finished("short", [outcome(seed, None if seed % 2 else 40) for seed in range(6)], budget=64)
    (same, *_) = differences([long, short])
    assert same.paired.difference.value == 0
    just = finished("just", [outcome(seed, 50 if seed % 2 else 40) for seed in range(6)], budget=65)
    (also, *_) = differences([long, just])
    assert also.paired.difference.value == 0


def test_markup_in_names_is_text_on_the_terminal(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("[old]", "b[x"):
        shutil.copytree(gather(study).runs[0].folder, tmp_path / name)
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", "report", str(tmp_path)])
    main()
    assert "[old]" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_one_line(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(gather(study).runs[0].folder, tmp_path / "run")
    (tmp_path / "report.html").mkdir()
    monkeypatch.setattr(sys, "argv", ["badger-sweeps", "report", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "report.html` must be a file that can be written; found: " in capsys.readouterr().err


@pytest.mark.parametrize("comparisons", [1, 2, 7, 21, 87])
def test_so_many_seeds_are_enough_and_one_fewer_is_not(comparisons: int) -> None:
    firsts = [80 + seed for seed in range(5)]
    (answer,) = lead([10 + 2 * seed for seed in range(5)], firsts, others=comparisons - 1)
    needed = int(answer.words.split("it takes ")[1].split(".")[0])
    assert comparisons * 2 / 2**needed < 0.05
    assert needed == 6 or comparisons * 2 / 2 ** (needed - 1) >= 0.05
