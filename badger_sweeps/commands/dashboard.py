"""``badger-sweeps dashboard [FOLDER]``: show a search in Optuna's dashboard, on this machine alone."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import BaseStorage
from optuna_dashboard import wsgi  # type: ignore[import-untyped]

from badger_sweeps.reporting.page.live import HOST
from badger_sweeps.reporting.reading.search_storage import CONFIRMATION, SearchLocation, UnreadableError
from badger_sweeps.search.storage import JOURNAL

EXAMPLE = "badger-sweeps dashboard runs/shorten_plateaus_quick"
PORT = 8080
RUNS = Path("runs")
READING = ("GET", "HEAD")
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", help=f"of a search; default: the newest one below {RUNS}/"
    )
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or a free one if it is taken; 0: a free one")


def run(given: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    source = source_of(given.folder)
    storage, name = source.open()
    server = bind(storage, given.port)
    study = storage.get_study_id_from_name(name)
    print(f"{name}: http://{HOST}:{server.server_port}/dashboard/studies/{study} (for looking only; Ctrl-C ends it)")
    for line in weights_and_biases(source.folder):
        print(line)
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


def read_only(application: Application) -> Application:
    """Let nothing through that writes.

    The dashboard can delete studies, end trials and add notes. A study that a search is working on would lose trials
    by the first two.
    """

    def guarded(request: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        if request["REQUEST_METHOD"] in READING:
            return application(request, answer)
        answer("405 Method Not Allowed", [("Content-Type", "application/json"), ("Allow", ", ".join(READING))])
        return [b'{"reason": "This dashboard is for looking only: a search may be working on the study."}']

    return guarded


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Leave the terminal alone."""


def bind(storage: BaseStorage, port: int | None) -> WSGIServer:
    """A server on this port; on a free one if none was asked for and the usual one is taken."""
    application = read_only(wsgi(storage))
    for own in (PORT, 0) if port is None else (port,):
        try:
            return make_server(HOST, own, application, server_class=_Server, handler_class=_Quiet)
        except (OSError, OverflowError) as error:
            reason = error
    raise UnreadableError(f"`--port` must be a port that is free; found {port}: {reason}")


def source_of(folder: Path | None) -> SearchLocation:
    """The study in a folder, or the newest one below `RUNS`.

    Raises:
        UnreadableError: there is none.
    """
    if folder is None:
        journals = sorted(RUNS.rglob(JOURNAL), key=lambda path: path.stat().st_mtime)
        if not journals:
            raise UnreadableError(f"there must be a study below `{RUNS}`, or the folder of one be given; found none.")
        folder = journals[-1].parent
    source = SearchLocation.of(folder)
    if source is None:
        raise UnreadableError(f"`{folder}` must be the folder of a search; found neither {JOURNAL} nor its settings.")
    return source


def weights_and_biases(folder: Path) -> list[str]:
    """How to look at what W&B kept in files: of the search itself, of its confirmation, and of the first trial."""
    folders = [folder, *(folder / CONFIRMATION / number for number in "10"), folder / "0"]
    found = [own / "wandb" for own in folders if any((own / "wandb").glob("*/*.wandb"))]
    wandb = Path(sys.executable).with_name("wandb")
    command = os.path.relpath(wandb) if wandb.exists() else "wandb"
    return [f"W&B, offline: {shlex.join([command, 'leet', os.path.relpath(own)])}" for own in found[:2]]
