"""The page of runs that are still running, rebuilt as they continue, and the server that shows it on this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from badger_sweeps.reporting.inference.comparison import compare_runs, row
from badger_sweeps.reporting.page.page import build
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.runs.history import HISTORY_FILE
from badger_sweeps.runs.summary import SUMMARY_FILE
from badger_sweeps.search.storage import JOURNAL

HOST = "127.0.0.1"
PORT = 8081
FILES = "files/"
"""The path of the folder on the server."""
PAUSE = 2.0
"""Minimum seconds between two checks of the runs; more if building the page takes longer."""


class View:
    """The page of the runs below a folder, rebuilt when their files have changed.

    Args:
        folder: the folder above the runs.
        path: the file that the page is written to.

    Attributes:
        version: the version of the page, different for each build.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder = folder
        self.path = path
        self.version = ""
        self._built_from: object = None

    def refresh(self) -> None:
        """Build the page if files of the runs have changed."""
        current = list(_modification_times(self.folder))
        if current == self._built_from and self.path.exists():
            return
        collection = gather(self.folder, unfinished=True)
        rows = [row(run) for run in collection.runs]
        version = str(time.time_ns())
        build(collection, rows, compare_runs(collection), self.path, live=version, home=self.folder, files=FILES)
        self._built_from, self.version = current, version

    def keep_fresh(self) -> None:
        """Refresh forever, and pause for at least as long as each refresh takes."""
        last_error = ""
        while True:
            started = time.monotonic()
            try:
                self.refresh()
            except Exception as error:  # such as a run deleted while it is read; the next refresh may succeed
                if (message := " ".join(str(error).split())) != last_error:
                    print(f"badger-sweeps watch: the page is not refreshed: {message}", file=sys.stderr)
                    last_error = message
            time.sleep(max(PAUSE, time.monotonic() - started))


def bind(view: View, port: int | None) -> ThreadingHTTPServer:
    """A server on `port`; if it is None, on the default port or, if that is in use, on a free port.

    Raises:
        OSError: the port is in use or out of range.
    """
    handler = partial(_Handler, view=view, directory=str(view.folder))
    for candidate in (PORT, 0) if port is None else (port,):
        try:
            return _Server((HOST, candidate), handler)
        except (OSError, OverflowError) as error:
            reason = error
    raise OSError(str(reason))


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that closes the connection during an answer, as it does when it reloads a page."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    """Serves the page, its version, and the files of the runs."""

    def __init__(self, *arguments: Any, view: View, **further: Any) -> None:
        self._view = view
        super().__init__(*arguments, **further)

    def parse_request(self) -> bool:
        """Refuse host names other than this machine's: another site could point a name of its own to this address."""
        if not super().parse_request():
            return False
        if self.headers.get("Host", "").rsplit(":", 1)[0] in (HOST, "localhost"):
            return True
        self.send_error(HTTPStatus.FORBIDDEN)
        return False

    def translate_path(self, path: str) -> str:
        """The file of a path below `FILES`; for other paths, a file that does not exist."""
        return super().translate_path(
            path.removeprefix(f"/{FILES[:-1]}") if path.startswith(f"/{FILES}") else "/nowhere"
        )

    def do_GET(self) -> None:
        if self.path == "/?version":
            self._answer(self._view.version.encode(), "text/plain")
        elif self.path == "/":
            self._answer(self._view.path.read_bytes(), "text/html; charset=utf-8")
        else:
            super().do_GET()

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def _modification_times(folder: Path) -> Iterator[tuple[str, int]]:
    """Path and modification time of the files that change as runs and searches continue."""
    for name in (f"{HISTORY_FILE}/part-*", SUMMARY_FILE, JOURNAL):
        for path in sorted(folder.rglob(name)):
            try:
                yield str(path), path.stat().st_mtime_ns
            except FileNotFoundError:  # the file is being replaced
                yield str(path), 0
