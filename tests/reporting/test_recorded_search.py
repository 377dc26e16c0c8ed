"""What is computed of a search, from searches made by hand: its cost, its table, and where it is found."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from badger_sweeps.reporting.formatting import search_tables
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.reporting.reading.search import RecordedSearch, effort
from badger_sweeps.reporting.reading.search_storage import UnreadableError, find
from badger_sweeps.search.racing import Race
from badger_sweeps.search.state import SearchState, TrialRecord
from badger_sweeps.search.storage import StorageAddress
from badger_sweeps.search.trial_outcome import TrialStatus
from tests import warm
from tests.reporting.recorded_searches import (
    BUDGET,
    FAST,
    SLOW,
    complete,
    failed,
    finished,
    open_trial,
    pruned,
    read_search,
    record_search,
)

# What a search has cost.


def test_pruning_saves_what_pruned_trials_did_not_train(tmp_path: Path) -> None:
    diverged = complete([BUDGET] * 8, 0.3, state="diverged", iterations=50, diverged=8)
    trials = [complete(SLOW, 0.1), pruned(100, 0.2), diverged, pruned(250, 0.4), failed("no", 0.5)]
    cost = effort(read_search(record_search(tmp_path / "s", [*trials, open_trial(TrialState.RUNNING, 0.6)])))
    assert cost is not None
    assert cost.trained == 300 + 100 + 50 + 250  # a failed trial does not tell how far it came
    assert cost.saved == 200 + 50  # what a diverged trial leaves away is no merit of pruning


@pytest.mark.parametrize(
    ("begun", "iterations", "done"),
    [
        (3, 300, 3 * 300),  # lost at the end of the first stage
        (6, 100, 3 * 300 + 3 * 100),  # pruned within the second, whose three seeds came beside three that were done
        (8, 10, 6 * 300 + 2 * 10),  # the third has only two left
    ],
)
def test_a_race_counts_the_seeds_that_had_begun(tmp_path: Path, begun: int, iterations: int, done: int) -> None:
    trials = [complete(SLOW, 0.1), pruned(iterations, 0.2, seeds=begun)]
    found = read_search(record_search(tmp_path / "s", trials, racing={"start": 3, "confidence": 0.95}))
    assert found.race == Race(start=3)
    cost = effort(found)
    assert cost is not None
    assert cost.trained == pytest.approx(300 + done / 8)
    assert cost.trained + cost.saved == pytest.approx(2 * 300)


def test_a_searched_budget_is_the_trials_own(tmp_path: Path) -> None:
    short = pruned(40, 0.2)
    short.params["training.iterations"] = 50
    short.distributions["training.iterations"] = optuna.distributions.IntDistribution(50, 300)
    cost = effort(read_search(record_search(tmp_path / "s", [complete(SLOW, 0.1), short])))
    assert cost is not None
    assert (cost.trained, cost.saved) == (340, 10)


def test_applications_without_iterations_have_no_such_cost(tmp_path: Path) -> None:
    plain = finished(TrialState.COMPLETE, {"state": "completed", "reason": ""}, 0.1, "gru", [2.0])
    assert effort(read_search(record_search(tmp_path / "s", [plain]))) is None


# The table of trials.


def many(folder: Path) -> RecordedSearch:
    rng = np.random.default_rng(0)
    trials = [complete([float(value)] * 2, 0.1) for value in rng.permutation(40) + 100]
    trials += [pruned(int(iterations), 0.2) for iterations in rng.integers(10, 290, 80)]
    trials += [failed("ValueError: no", 0.3)] * 3 + [failed("its value is NaN", 0.3, state="diverged")]
    trials += [open_trial(TrialState.RUNNING, 0.4), open_trial(TrialState.WAITING, 0.5, recorded_state="interrupted")]
    return read_search(record_search(folder, [trials[place] for place in rng.permutation(len(trials))], n_trials=130))


def test_counts_tell_every_trial_once(tmp_path: Path) -> None:
    first, cost, *failures = search_tables.status_sentences(many(tmp_path / "s"))
    assert first == (
        "124 of 130 trials have ended: 40 completed, 1 diverged, 80 pruned, 3 failed; 1 running, 1 interrupted; "
        "4 not begun."
    )
    assert re.match(r"In total [\d,]+ iterations were trained, each of all seeds of a trial", cost)
    reasons = sorted(re.sub(r"[\d, ]+(?=failed|diverged)", " ", sentence) for sentence in failures)
    assert reasons == ["Trial diverged: its value is NaN.", "Trial failed: ValueError: no."]


def test_the_table_begins_with_the_best_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    found = many(tmp_path / "s")
    table = search_tables.table(found)
    assert len(table.rows) == 100
    assert table.left_out == "Left out of the table: the last 26 of 126 trials (26 pruned)."
    values = [float(row.cells[table.columns.index("iterations to escape")]) for row in table.rows[:40]]
    assert values == sorted(values)
    assert values == list(range(100, 140))
    states = [row.cells[1] for row in table.rows]
    assert list(dict.fromkeys(states)) == ["completed", "running", "interrupted", "failed", "diverged", "pruned"]
    lengths = [int(row.cells[table.columns.index("iterations")]) for row in table.rows if row.cells[1] == "pruned"]
    assert all(before >= after for before, after in pairwise(lengths))
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}


@given(st.lists(st.tuples(st.sampled_from(list(TrialStatus)), st.floats(-1e6, 1e6)), max_size=30), st.booleans())
def test_the_order_is_one_of_all_trials_and_values_come_first(
    drawn: list[tuple[TrialStatus, float]], lower: bool
) -> None:
    trials = tuple(
        TrialRecord(
            number,
            state,
            {},
            (value,) if state == TrialStatus.COMPLETED else None,
            (None, None),
            "",
            "",
            "",
            None,
            None,
            {},
        )
        for number, (state, value) in enumerate(drawn)
    )
    direction = "minimize" if lower else "maximize"
    state = SearchState("s", 30, (direction,), trials)
    found = RecordedSearch(Path(), state, optuna.create_study(), (), None, (), ("value",), None, None)
    ordered = search_tables.ordered(found)
    assert sorted(trial.number for trial in ordered) == list(range(len(drawn)))
    values = [trial.values[0] for trial in ordered if trial.values]
    assert values == sorted(values, reverse=not lower)
    assert all(trial.values for trial in ordered[: len(values)])


def test_names_are_short_where_that_tells_them_apart() -> None:
    assert search_tables.short_names(["a.lr", "b.size", "c.size"]) == ["lr", "b.size", "c.size"]


# Where searches are found.


def test_a_search_is_found_by_its_journal_alone_and_under_another_folders_name(tmp_path: Path) -> None:
    folder = record_search(tmp_path / "old", [complete(SLOW, 0.1)])
    moved = folder.rename(tmp_path / "new")
    assert read_search(moved).state.name == "old"
    (moved / "multirun.yaml").unlink()
    assert read_search(moved).state.name == "old"
    assert [source.folder for source in find(tmp_path)] == [moved]


def test_a_search_in_another_storage_is_found_by_its_address(tmp_path: Path) -> None:
    address = str(tmp_path / "elsewhere.db")
    folder = record_search(tmp_path / "s", [complete(SLOW, 0.1)], storage=f"sqlite:///{address}")
    assert read_search(folder).state.name == "s"
    Path(address).unlink()
    with pytest.raises(UnreadableError, match=r"must be in sqlite:.*found nothing there"):
        read_search(folder)
    assert not Path(address).exists()  # looking makes nothing


def test_of_several_searches_in_one_storage_the_folders_own_is_read(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'shared.db'}"
    first = record_search(tmp_path / "first", [complete(SLOW, 0.1)], storage=address)
    second = record_search(tmp_path / "second", [complete(SLOW, 0.1), complete(FAST, 0.2)], storage=address)
    assert [len(read_search(folder).state.trials) for folder in (first, second)] == [1, 2]
    moved = second.rename(tmp_path / "moved")
    assert len(read_search(moved).state.trials) == 2  # as its configuration says
    named = record_search(tmp_path / "named", [complete(SLOW, 0.1)], storage=address, study_name="second")
    assert len(read_search(named).state.trials) == 2


def test_a_search_that_cannot_be_read_costs_the_report_that_alone(tmp_path: Path) -> None:
    good = record_search(tmp_path / "good", [complete(SLOW, 0.1)])
    record_search(tmp_path / "gone", [complete(SLOW, 0.1)])
    (tmp_path / "gone" / "study.journal").unlink()
    record_search(tmp_path / "torn", [complete(SLOW, 0.1)])
    (tmp_path / "torn" / "study.journal").write_bytes(b"no journal\n")
    record_search(tmp_path / "foreign", [complete(SLOW, 0.1)])
    (tmp_path / "foreign" / "study.journal").write_text('{"op_code": 99, "worker_id": "a"}\n')
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "multirun.yaml").write_text("hydra: {sweeper: {_target_: hydra._internal.core_plugins.basic_sweeper}}")
    collection = gather(tmp_path)
    assert [search.folder for search in collection.searches] == [good]
    assert sorted(name for name, _ in collection.left_out) == ["foreign", "gone", "torn"]
    assert "found a damaged file (" in dict(collection.left_out)["foreign"]
    shown = warm.run([sys.executable, "-m", "badger_sweeps", "report", str(tmp_path / "gone")])
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1
    assert "found nothing there" in shown.stderr


@pytest.mark.slow
def test_a_search_on_a_server_is_read_without_its_password_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.search.servers import PASSWORD, SECRET, Server

    server = Server(tmp_path_factory.mktemp("server"))
    try:
        address = StorageAddress.parse(server.new_database(), tmp_path).text
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        folder = record_search(tmp_path / "s", [complete(SLOW, 0.1), complete(FAST, 0.2)], storage=address)
        assert SECRET not in (folder / "multirun.yaml").read_text()
        assert read_search(folder).state.counts[TrialStatus.COMPLETED] == 2
        monkeypatch.delenv("PGPASSWORD")
        with pytest.raises(UnreadableError) as error:
            read_search(folder)
        assert SECRET not in str(error.value)
        assert "\n" not in str(error.value)
    finally:
        server.stop()
