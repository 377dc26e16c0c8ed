"""Storages of searches: addresses, passwords, and journals whose writer died."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import BaseStorage
from sqlalchemy import URL
from sqlalchemy.engine import make_url

from badger_sweeps.core.addresses import without_passwords
from badger_sweeps.core.errors import UsageError
from badger_sweeps.search.storage import BEGINNING, JOURNAL, StorageAddress, cut_torn_line
from tests.search.commands import Records, command, run, sweep
from tests.search.servers import SECRET, Server

NAME = "a study"


def study_in(storage: BaseStorage) -> optuna.Study:
    return optuna.create_study(storage=storage, study_name=NAME, load_if_exists=True)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a search of three trials leaves."""
    path = tmp_path_factory.mktemp("journal") / JOURNAL
    study = study_in(StorageAddress(str(path)).open())
    for value in range(3):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        trial.set_user_attr("note", "ä" * value)
        study.tell(trial, value)
    return path.read_bytes()


def offsets(journal: bytes, lines: int) -> range:
    """Every length to which the last so many lines can be cut."""
    kept = journal.splitlines(keepends=True)[:-lines]
    return range(len(b"".join(kept)), len(journal) + 1)


def usable(path: Path, whole: list[bytes]) -> None:
    """The journal has these lines, and takes and gives back what is added."""
    storage = StorageAddress(str(path)).open()
    before = len(optuna.load_study(study_name=NAME, storage=storage).trials)
    assert path.read_bytes().splitlines(keepends=True) == whole
    study = study_in(StorageAddress(str(path)).open())
    study.tell(study.ask(), 7.0)
    again = study_in(StorageAddress(str(path)).open()).trials
    assert len(again) == before + 1
    assert again[-1].value == 7


def test_a_journal_cut_at_any_byte_opens_with_all_its_whole_lines_and_can_be_added_to(
    journal: bytes, tmp_path: Path
) -> None:
    path = tmp_path / JOURNAL
    for end in offsets(journal, lines=2):
        path.write_bytes(journal[:end])
        usable(path, [line for line in journal[:end].splitlines(keepends=True) if line.endswith(b"\n")])


def test_what_another_process_tore_while_this_one_had_the_journal_open_is_cut_off_before_adding(
    journal: bytes, tmp_path: Path
) -> None:
    path = tmp_path / JOURNAL
    line = journal.splitlines(keepends=True)[-1]
    for end in range(1, len(line)):
        path.write_bytes(journal)
        study = study_in(StorageAddress(str(path)).open())
        with path.open("ab") as file:
            file.write(line[:end])
        trial = study.ask()
        trial.set_user_attr("end", end)
        assert study_in(StorageAddress(str(path)).open()).trials[-1].user_attrs == {"end": end}
        assert path.read_bytes().startswith(journal)


@given(
    st.lists(st.binary(max_size=9000).map(lambda line: line.replace(b"\n", b" ")), max_size=4),
    st.integers(0, 10_000),
)
def test_all_after_the_last_newline_is_cut_off_and_nothing_before_it(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: int
) -> None:
    content = b"\n".join([BEGINNING, *lines])[:end]
    path = tmp_path_factory.getbasetemp() / "torn"
    path.write_bytes(content)
    kept = content[: content.rfind(b"\n") + 1]
    assert cut_torn_line(path) == len(content) - len(kept)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("content", [b"# Notes\n\nof mine", b"SQLite format 3\0 \n \0", b"PK\3\4\n...", b"no newline"])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="must be a search's file"):
        StorageAddress.parse(str(path), tmp_path).open()
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (None, "/study/study.journal"),
        ("", "/study/study.journal"),
        ("/elsewhere/x.journal", "/elsewhere/x.journal"),
        ("sqlite:////elsewhere/x.db", "sqlite:////elsewhere/x.db"),
        ("postgresql://me@host/db", "postgresql+psycopg://me@host/db"),
        ("postgresql+psycopg://me@host:5/db?sslmode=require", "postgresql+psycopg://me@host:5/db?sslmode=require"),
        ("postgresql:///db", "postgresql+psycopg:///db"),
    ],
)
def test_addresses_name_places(given: str | None, address: str) -> None:
    assert StorageAddress.parse(given, Path("/study")).text == address


def test_relative_paths_are_made_absolute_since_workers_may_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert StorageAddress.parse("x.journal", Path("/study")).text == f"{tmp_path}/x.journal"
    assert StorageAddress.parse("~/x.journal", Path("/study")).text == f"{tmp_path}/home/x.journal"
    assert StorageAddress.parse("sqlite:///x.db", Path("/study")).text == f"sqlite:///{tmp_path}/x.db"


@pytest.mark.parametrize(
    "address", ["mysql://me:hidden@host/db", "redis://:hidden@host", "sqlite://", "sqlite:///:memory:", "://", "x://["]
)
def test_other_addresses_are_refused_in_one_line_without_their_password(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"`hydra\.sweeper\.storage` must be the path of a journal file") as refused:
        StorageAddress.parse(address, tmp_path)
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)


words = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(password=words, user=words, in_query=st.booleans())
def test_a_password_goes_to_the_client_and_not_into_the_address(password: str, user: str, in_query: bool) -> None:
    url = URL.create("postgresql", user, None if in_query else password, "host", 5, "db")
    if in_query:
        url = url.update_query_dict({"password": password})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "PGPASSWORD", "another")
        kept = make_url(StorageAddress.parse(url.render_as_string(hide_password=False), Path("/study")).text)
        assert os.environ["PGPASSWORD"] == password
    assert kept.password is None
    assert not kept.query
    assert (kept.username, kept.host, kept.port, kept.database) == (user, "host", 5, "db")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hidden@host/db",
        "postgresql://me:hid/den@host/db",
        "postgresql://me:hi@dden@host/db",
        "postgresql+psycopg://:hidden@/db?host=/run/x",
        "postgresql://me@host/db?password=hidden&sslmode=require",
    ],
)
def test_an_address_in_a_text_is_shown_without_its_password(address: str) -> None:
    shown = without_passwords(f"badger-sweeps -m 'hydra.sweeper.storage={address}' seeds=2")
    for part in ("hidden", "hid", "den"):
        assert part not in shown
    assert shown.endswith("seeds=2")
    assert "me" in shown or address.startswith("postgresql+psycopg")


def test_a_server_that_does_not_answer_is_told_in_one_line(postgresql: str, tmp_path: Path) -> None:
    wrong = make_url(postgresql).set(password="wrong" + SECRET).render_as_string(hide_password=False)
    nobody = make_url(postgresql).set(port=1).render_as_string(hide_password=False)
    absent = make_url(postgresql).set(database="absent").render_as_string(hide_password=False)
    for address, reason in [
        (wrong, "password authentication failed"),
        (nobody, "Connection refused"),
        (absent, 'database "absent" does not exist'),
    ]:
        with pytest.raises(UsageError, match=r"`hydra\.sweeper\.storage` must be a database that answers") as refused:
            StorageAddress.parse(address, tmp_path).open()
        assert reason in str(refused.value)
        assert SECRET not in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["journal", "sqlite", "postgresql"])
def test_one_process_at_a_time_holds_a_searchs_lock_and_a_killed_one_frees_it(
    kind: str, tmp_path: Path, postgresql: str
) -> None:
    typed = {"journal": None, "sqlite": f"sqlite:///{tmp_path}/study.db", "postgresql": postgresql}[kind]
    address = StorageAddress.parse(typed, tmp_path)
    hold = (
        "import sys, time; from badger_sweeps.search.storage import StorageAddress; print('asks', flush=True)\n"
        "with StorageAddress(sys.argv[1]).exclusive('a study'): print('held', flush=True); time.sleep(600)"
    )
    first = subprocess.Popen([sys.executable, "-c", hold, address.text], stdout=subprocess.PIPE)
    second = None
    try:
        assert first.stdout is not None
        assert [first.stdout.readline() for _ in range(2)] == [b"asks\n", b"held\n"]
        second = subprocess.Popen([sys.executable, "-c", hold, address.text], stdout=subprocess.PIPE)
        assert second.stdout is not None
        assert second.stdout.readline() == b"asks\n"
        os.set_blocking(second.stdout.fileno(), False)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=2)
        assert not second.stdout.read()
        if kind == "postgresql":  # one database has many searches, which do not wait for one another
            with address.exclusive("another study"):
                pass
        first.kill()
        first.wait()
        os.set_blocking(second.stdout.fileno(), True)
        assert second.stdout.readline() == b"held\n"
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.communicate()


def traces(folder: Path, *said: str) -> list[str]:
    """Where the password can be read."""
    found = [str(path) for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    return found + [words for words in said if SECRET in words]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_the_password_is_nowhere(launcher: str, tmp_path: Path, postgresql: str) -> None:
    folder = tmp_path / "study"
    with_one_bad_trial = ("training.iterations=40", "hydra.sweeper.n_trials=2", "hydra.verbose=true")
    ended = sweep(
        folder,
        f"hydra.sweeper.storage={postgresql}",
        f"hydra/launcher={launcher}",
        *with_one_bad_trial,
        tracking="wandb",
    )
    assert ended.returncode == 0, ended.stderr
    assert Records.of(folder, postgresql).statuses() == ["completed"] * 2
    assert not (folder / JOURNAL).exists()
    assert list(folder.glob("*/wandb/offline-run-*/*.wandb"))
    assert list(folder.glob("*/provenance.json"))
    assert (folder / "multirun.yaml").exists()
    if launcher == "submitit_local":
        assert list(folder.rglob("*.pkl"))
    assert traces(folder, ended.stdout, ended.stderr) == []


@pytest.mark.slow
def test_a_command_with_a_bad_address_ends_with_one_line_and_no_password(
    tmp_path: Path, postgresql: str, server: Server
) -> None:
    folder = tmp_path / "study"
    nowhere = make_url(postgresql).set(port=1).render_as_string(hide_password=False)
    for address in (nowhere, server.new_database(password=f"other-{SECRET}"), f"mysql://me:{SECRET}@host/db"):
        ended = sweep(folder, f"hydra.sweeper.storage={address}", "training.iterations=40")
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert ended.stderr.startswith("badger-sweeps: `hydra.sweeper.storage` must be")
        assert traces(folder, ended.stdout, ended.stderr) == []


@pytest.mark.slow
def test_a_password_from_the_environment_serves_as_well(tmp_path: Path, postgresql: str) -> None:
    folder = tmp_path / "study"
    url = make_url(postgresql)
    bare = url._replace(password=None).render_as_string()
    words = command(folder, f"hydra.sweeper.storage={bare}", "training.iterations=40", "hydra.sweeper.n_trials=1")
    ended = run(words, PGPASSWORD=str(url.password))
    assert ended.returncode == 0, ended.stderr
    assert traces(folder, ended.stdout, ended.stderr) == []


@pytest.mark.slow
def test_one_controller_can_use_sqlite(tmp_path: Path) -> None:
    folder, address = tmp_path / "study", f"sqlite:///{tmp_path}/study.db"
    for total in (1, 3):
        ended = sweep(
            folder,
            f"hydra.sweeper.storage={address}",
            f"hydra.sweeper.n_trials={total}",
            "training.iterations=40",
        )
        assert ended.returncode == 0, ended.stderr
        assert Records.of(folder, address).statuses() == ["completed"] * total
    assert not (folder / JOURNAL).exists()
