"""The dashboard as a user starts it: a real server on 127.0.0.1."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from badger_sweeps.commands import dashboard
from badger_sweeps.reporting.reading.search_storage import UnreadableError
from badger_sweeps.search.storage import StorageAddress
from tests.reporting.recorded_searches import FAST, SLOW, complete, open_trial, record_search

CHECKOUT = Path(__file__).parents[2]


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "badger_sweeps", "dashboard", *map(str, words)]


@contextmanager
def serving(*words: object, cwd: Path = CHECKOUT) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, the address of the search, and what it printed."""
    path = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        found = re.search(r"http://\S+", line)
        assert found is not None, line
        yield process, found[0], line
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def base(address: str) -> str:
    return address[: address.index("/dashboard")]


def asked(address: str, method: str = "GET", body: object = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trials = [complete(SLOW, 0.1), complete(FAST, 0.2), open_trial(TrialState.RUNNING, 0.3)]
    return record_search(tmp_path / "my study", trials)


def test_it_shows_the_search_on_this_machine_alone_and_ctrl_c_ends_it(folder: Path) -> None:
    with serving(folder, "--port", 0) as (process, address, line):
        assert line.startswith("my study: http://127.0.0.1:")
        status, page = asked(address)
        assert status == 200
        assert b"<html" in page.lower()
        status, answer = asked(f"{base(address)}/api/studies")
        assert [study["study_name"] for study in json.loads(answer)["study_summaries"]] == ["my study"]
        number = address.rsplit("/", 1)[-1]
        _, answer = asked(f"{base(address)}/api/studies/{number}")
        assert [trial["state"] for trial in json.loads(answer)["trials"]] == ["Complete", "Complete", "Running"]
        listening = [
            connection
            for connection in psutil.Process(process.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert errors == ""


def test_nothing_that_it_is_asked_changes_the_search(folder: Path) -> None:
    with serving(folder, "--port", 0) as (_, address, _line):
        before = (folder / "study.journal").read_bytes()
        api = f"{base(address)}/api"
        number = address.rsplit("/", 1)[-1]
        asks: list[tuple[str, str, object]] = [
            ("DELETE", f"{api}/studies/{number}", {}),
            ("PUT", f"{api}/studies/{number}/note", {"body": "a note", "version": 1}),
            ("POST", f"{api}/trials/2/tell", {"state": "Fail"}),
            ("POST", f"{api}/studies", {"study_name": "other", "directions": ["minimize"]}),
        ]
        for method, where, body in asks:
            status, answer = asked(where, method, body)
            assert status == 405
            assert b"read only" in answer
        for where in (api + "/studies", f"{api}/studies/{number}", f"{api}/studies/{number}/param_importances"):
            assert asked(where)[0] == 200
        assert (folder / "study.journal").read_bytes() == before
        assert not (folder / "study.journal.lock").exists()  # by which Optuna's own processes would be held up


def test_it_takes_the_newest_search_below_runs(tmp_path: Path) -> None:
    newer = record_search(tmp_path / "runs" / "a", [complete(SLOW, 0.1)])
    older = record_search(tmp_path / "runs" / "deep" / "b", [complete(SLOW, 0.1)])
    os.utime(older / "study.journal", (1, 1))
    with serving("--port", 0, cwd=tmp_path) as (_, _, line):
        assert line.startswith(f"{newer.name}: ")


def test_a_database_is_shown_by_its_address(tmp_path: Path) -> None:
    folder = record_search(tmp_path / "s", [complete(SLOW, 0.1)], storage=f"sqlite:///{tmp_path / 'other.db'}")
    with serving(folder, "--port", 0) as (_, address, _line):
        _, answer = asked(f"{base(address)}/api/studies")
        assert [study["study_name"] for study in json.loads(answer)["study_summaries"]] == ["s"]


def test_it_says_how_to_look_at_what_wandb_kept(folder: Path) -> None:
    for run in (folder, folder / "0", folder / "3"):
        kept = run / "wandb" / "offline-run-1"
        kept.mkdir(parents=True)
        (kept / "run-1.wandb").write_bytes(b"")
    words = dashboard.wandb_commands(folder)
    assert len(words) == 2
    quoted = re.search(r"wandb leet '(.+)'$", words[0])  # a path with a space in it
    assert quoted is not None
    assert Path(quoted[1]).resolve() == folder / "wandb"
    assert dashboard.wandb_commands(folder / "1") == []


@pytest.mark.parametrize("words", [["nowhere"], [], ["file"]])
def test_no_search_is_one_line(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableError) as error:
        dashboard.location_of(Path(words[0]) if words else None)
    assert "\n" not in str(error.value)
    assert "found" in str(error.value)


def test_a_port_that_is_taken_is_left_only_if_it_was_not_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = StorageAddress.parse(None, folder).open()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        done = subprocess.run(
            command(folder, "--port", taken), capture_output=True, text=True, check=False, cwd=CHECKOUT
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert re.fullmatch(rf"badger-sweeps dashboard: `--port` must be .* free; found {taken}: .*\n", done.stderr)
        monkeypatch.setattr(dashboard, "PORT", taken)
        server = dashboard.bind(storage, None)
        assert server.server_port not in (0, taken)
        server.server_close()


@pytest.mark.slow
def test_a_search_goes_on_beside_it(tmp_path: Path) -> None:
    """It is read all the time while a search works on the journal: the trials are those of a search left alone."""
    (tmp_path / "config.yaml").write_text("x: 0\n")
    (tmp_path / "app.py").write_text(
        "import hydra\n"
        '@hydra.main(version_base=None, config_path=".", config_name="config")\n'
        "def task(config):\n    return (config.x - 1) ** 2\n"
        "if __name__ == '__main__':\n    task()\n"
    )

    def searching(folder: Path) -> subprocess.Popen[str]:
        words = ["-m", "hydra/sweeper=badger", f"hydra.sweep.dir={folder}", "hydra.sweeper.n_trials=60"]
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "app.py"), *words, "x=interval(-5,5)", "hydra.sweeper.study_name=one"],
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    alone, beside = tmp_path / "alone", tmp_path / "beside"
    assert searching(alone).wait(timeout=600) == 0
    search = searching(beside)
    deadline = time.monotonic() + 300
    while not (beside / "study.journal").exists() or b'"op_code":4' not in (beside / "study.journal").read_bytes():
        assert time.monotonic() < deadline
        assert search.poll() is None
        time.sleep(0.02)
    answers: list[int] = []
    with serving(beside, "--port", 0) as (_, address, _line):
        number = address.rsplit("/", 1)[-1]

        def look() -> None:
            while search.poll() is None:
                answers.append(asked(f"{base(address)}/api/studies/{number}")[0])
                answers.append(
                    asked(f"{base(address)}/api/studies/{number}/note", "PUT", {"body": "", "version": 1})[0]
                )

        lookers = [threading.Thread(target=look) for _ in range(3)]
        for looker in lookers:
            looker.start()
        assert search.wait(timeout=600) == 0
        for looker in lookers:
            looker.join()
    assert set(answers) == {200, 405}
    trials = []
    for folder in (alone, beside):
        loaded = optuna.load_study(study_name="one", storage=StorageAddress.parse(None, folder).open())
        trials.append([(trial.number, trial.state, trial.params, trial.value) for trial in loaded.trials])
    assert trials[0] == trials[1]
    assert {state for _, state, _, _ in trials[1]} == {TrialState.COMPLETE}
