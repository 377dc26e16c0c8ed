"""``badger-sweeps watch``: a page that follows running runs."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from badger_sweeps.commands.main import main
from badger_sweeps.reporting.reading.collection import gather
from tests.browser import Show
from tests.runs.commands import run

pytestmark = pytest.mark.xdist_group("watch")  # one worker: the server is started once

LONGEST_QUIET = 10_000
"""Milliseconds for which a page is left alone at least before it is loaded again; its clock is put forward by them."""
WAIT = 60_000
"""Maximum waiting time in milliseconds; on an idle machine, two seconds suffice."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "a"
    done = run(folder, "training.iterations=60", "measures=none", tracking="wandb")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def runs(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that is at iteration 40 of 60."""
    folder = tmp_path_factory.mktemp("watched")
    shutil.copytree(template, folder / "a")
    back_to(folder / "a", template, 40)
    return folder


def back_to(folder: Path, template: Path, iterations: int) -> None:
    (folder / "summary.json").unlink(missing_ok=True)
    history = pd.read_parquet(template / "history.parquet")
    part = folder / "history.parquet" / "part-00000.parquet"
    history[history["iteration"] < iterations].to_parquet(part.with_suffix(".new"))
    part.with_suffix(".new").rename(part)


def start(folder: Path) -> tuple[subprocess.Popen[str], str, list[str]]:
    """The server, its address, and what it printed."""
    command = [sys.executable, "-m", "badger_sweeps", "watch", str(folder), "--port", "0"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )
    assert server.stdout is not None
    lines = [server.stdout.readline(), server.stdout.readline()]
    found = re.search(r"http://127\.0\.0\.1:\d+/", lines[0])
    assert found is not None, (lines, server.communicate())
    return server, found.group(), lines


@pytest.fixture(scope="module")
def watched(runs: Path) -> Iterator[tuple[str, list[str]]]:
    server, address, lines = start(runs)
    yield address, lines
    server.send_signal(signal.SIGINT)
    _, errors = server.communicate(timeout=60)
    assert server.returncode == 0
    assert errors == ""


def test_the_page_follows_a_run_and_keeps_the_users_choices(
    watched: tuple[str, list[str]], runs: Path, template: Path, browser: Show
) -> None:
    page = browser(watched[0])
    page.clock.install()
    badge = "#results .role"
    page.wait_for_selector(badge)
    assert page.locator(badge).inner_text().startswith("at iteration 40 of 60, last written ")
    assert page.locator("#results tbody tr").count() == 1
    assert page.locator("#results a", has_text="folder").get_attribute("href") == "files/a/"
    page.locator("#theme").click()
    page.locator(".pick").click()
    page.locator("#graph-seed").select_option(label="gru, seed 2")
    page.locator("#run-0 summary").click()  # folds it
    back_to(runs / "a", template, 50)
    page.clock.fast_forward(LONGEST_QUIET)
    page.wait_for_selector(f"{badge} >> text=at iteration 50 of 60", timeout=WAIT)
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("#row-0").get_attribute("class") == "picked"
    assert page.locator("#graph-seed option:checked").inner_text() == "gru, seed 2"
    assert page.locator("#run-0").get_attribute("open") is None
    shutil.copytree(template, runs / "b")
    page.clock.fast_forward(LONGEST_QUIET)
    page.wait_for_selector("#row-1", timeout=WAIT)
    assert page.locator(badge).count() == 1


def test_times_of_a_running_run_are_censored_at_its_last_iteration(template: Path, tmp_path: Path) -> None:
    """Its summary equals that of a finished run of as many iterations."""
    runs = tmp_path
    shutil.copytree(template, runs / "a")
    back_to(runs / "a", template, 40)
    assert gather(runs).runs == ()
    (running,) = gather(runs, unfinished=True).runs
    assert running.summary.budget == 40
    assert running.progress.startswith("at iteration 40 of 60")
    done = run(runs / "short", "training.iterations=40", "measures=none")
    assert done.returncode == 0, done.stderr
    short = next(finished for finished in gather(runs).runs if finished.folder.name == "short")
    assert running.summary.outcomes == short.summary.outcomes
    assert running.summary.value == short.summary.value


def test_the_server_answers_this_machine_only_and_serves_the_runs_only(watched: tuple[str, list[str]]) -> None:
    address = watched[0].removeprefix("http://").rstrip("/")

    def status(path: str, host: str = address, method: str = "GET") -> int:
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request(method, path, headers={"Host": host})
        return connection.getresponse().status

    assert status("/") == 200
    assert status("/files/a/topology.json") == 200
    assert status("/a/topology.json") == 404
    assert status("/files/../../etc/passwd") == 404
    assert status("/files/%2e%2e/%2e%2e/etc/passwd") == 404
    assert status("/../../etc/passwd") == 404
    assert status("/%2e%2e/%2e%2e/etc/passwd") == 404
    assert status("/", host="evil.example") == 403  # a name that another site made point here
    assert status("/files/a/topology.json", host="evil.example", method="HEAD") == 403
    assert status("/", host="localhost:1") == 200
    assert re.search(r"wandb leet .*a/wandb$", watched[1][1].strip())  # the viewer for the terminal


@pytest.mark.slow
def test_a_folder_without_runs_can_be_watched(tmp_path: Path, template: Path, browser: Show) -> None:
    server, address, _ = start(tmp_path)
    page = browser(address, may_fail=True)
    assert "No run has recorded anything yet." in page.locator("main").inner_text()
    shutil.copytree(template, tmp_path / "a")
    page.wait_for_selector("#row-0", timeout=WAIT)
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while page.locator("#live").inner_text() != "the server has ended" and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert page.locator("#live").inner_text() == "the server has ended"
    page.close()


def test_a_user_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, words in (([tmp_path / "no"], "RUNS must be a folder"), ([tmp_path, "--port", "70000"], "`--port`")):
        monkeypatch.setattr(sys, "argv", ["badger-sweeps", "watch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert words in error
        assert len(error.splitlines()) == 1
