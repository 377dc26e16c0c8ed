"""``python -m analysis.watch RUNS``: the report of runs while they are going, in a browser on this machine alone."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analysis.comparison import row
from analysis.dashboard import HOST
from analysis.gather import gather
from analysis.page import build
from analysis.report import compare
from badger_sweeps.runs.history import NAME as HISTORY
from badger_sweeps.runs.summary import NAME as SUMMARY
from badger_sweeps.sweeps.storage import JOURNAL

PORT = 8081
FILES = "files/"
"""Where the server has the folder, below its address."""
PAUSE = 2.0
"""Seconds between two looks at the runs; more where building the page takes long."""


def main() -> None:
    """Serve until Ctrl-C. Exit status 2 where there is no such folder, or the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m analysis.watch", description=__doc__.split(": ", 1)[1])
    parser.add_argument("runs", type=Path, help="a folder with runs below it, or one where they are going to be")
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or a free one if it is taken; 0: a free one")
    arguments = parser.parse_args()
    if not arguments.runs.is_dir():
        raise _refusal(f"RUNS must be a folder; found `{arguments.runs}`.")
    with TemporaryDirectory() as place:
        view = View(arguments.runs, Path(place) / "report.html")
        try:
            server = bind(view, arguments.port)
        except OSError as error:
            raise _refusal(f"`--port` must be a port that is free; found {arguments.port}: {error}") from None
        try:
            view.refresh()
            print(f"{arguments.runs}: http://{HOST}:{server.server_port}/ (for looking only; Ctrl-C ends it)")
            print(f"W&B, in another terminal: {leet(arguments.runs)}", flush=True)
            threading.Thread(target=view.keep_fresh, daemon=True).start()
            server.serve_forever()
        except KeyboardInterrupt:
            print()
        finally:
            server.server_close()


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
        build(collection, rows, compare(collection), self.path, live=version, home=self.folder, files=FILES)
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
                    print(f"analysis.watch: the page is not refreshed: {words}", file=sys.stderr)
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


def leet(folder: Path) -> str:
    """The command that shows the newest of the W&B runs below a folder in a terminal, where there are any."""
    found = max(folder.rglob("wandb/*/*.wandb"), key=lambda path: path.stat().st_mtime, default=None)
    wandb = Path(sys.executable).with_name("wandb")
    command = os.path.relpath(wandb) if wandb.exists() else "wandb"
    return shlex.join([command, "leet", os.path.relpath(found.parents[1] if found else folder / "wandb")])


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


def _refusal(words: str) -> SystemExit:
    print(f"analysis.watch: {words}", file=sys.stderr)
    return SystemExit(2)


if __name__ == "__main__":
    main()
