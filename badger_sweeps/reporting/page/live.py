"""The page of runs that are still going, built anew as they go on, and the server that shows it on this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from badger_sweeps.reporting.inference.comparison import compared, row
from badger_sweeps.reporting.page.page import build
from badger_sweeps.reporting.reading.collection import gather
from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.search.storage import JOURNAL

HOST = "127.0.0.1"
PORT = 8081
FILES = "files/"
"""Where the server has the folder, below its address."""
PAUSE = 2.0
"""Seconds between two looks at the runs; more where building the page takes long."""


class View:
    """The page, built anew when something below the folder has changed.

    Args:
        folder: with runs below it.
        path: where the page is written.

    Attributes:
        version: the page's, another one for each.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder = folder
        self.path = path
        self.version = ""
        self._seen: object = None

    def refresh(self) -> None:
        """Build the page if anything has changed."""
        now = list(_traces(self.folder))
        if now == self._seen and self.path.exists():
            return
        collection = gather(self.folder, unfinished=True)
        rows = [row(run) for run in collection.runs]
        version = str(time.time_ns())
        build(collection, rows, compared(collection), self.path, live=version, home=self.folder, files=FILES)
        self._seen, self.version = now, version

    def keep_fresh(self) -> None:
        """Refresh for ever, at most half of the time."""
        complaint = ""
        while True:
            started = time.monotonic()
            try:
                self.refresh()
            except Exception as error:  # a run that was deleted while it was read; the next look may do better
                if (words := " ".join(str(error).split())) != complaint:
                    print(f"badger-sweeps watch: the page is not refreshed: {words}", file=sys.stderr)
                    complaint = words
            time.sleep(max(PAUSE, time.monotonic() - started))


def bind(view: View, port: int | None) -> ThreadingHTTPServer:
    """A server on this port; on a free one if none was asked for and the usual one is taken.

    Raises:
        OSError: the port is taken or is none.
    """
    handler = partial(_Handler, view=view, directory=str(view.folder))
    for own in (PORT, 0) if port is None else (port,):
        try:
            return _Server((HOST, own), handler)
        except (OSError, OverflowError) as error:
            reason = error
    raise OSError(str(reason))


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away in the middle of an answer, as it does when it loads a page anew."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(SimpleHTTPRequestHandler):
    """The page, its version, and the files of the runs."""

    def __init__(self, *arguments: Any, view: View, **further: Any) -> None:
        self._view = view
        super().__init__(*arguments, **further)

    def parse_request(self) -> bool:
        """Refuse names other than this machine's: another site may lead a browser here under one of its own."""
        if not super().parse_request():
            return False
        if self.headers.get("Host", "").rsplit(":", 1)[0] in (HOST, "localhost"):
            return True
        self.send_error(HTTPStatus.FORBIDDEN)
        return False

    def translate_path(self, path: str) -> str:
        """The file that an address stands for; what is not below `FILES` is nowhere."""
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
        """Leave the terminal alone."""


def _traces(folder: Path) -> Iterator[tuple[str, int]]:
    """What changes when a run goes on: its last part, its summary, the journal of a search."""
    for name in (f"{HISTORY}/part-*", SUMMARY, JOURNAL):
        for path in sorted(folder.rglob(name)):
            try:
                yield str(path), path.stat().st_mtime_ns
            except FileNotFoundError:  # replaced at this moment
                yield str(path), 0
