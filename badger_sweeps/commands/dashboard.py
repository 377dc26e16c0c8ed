"""``badger-sweeps dashboard [FOLDER]``: show a search in Optuna's dashboard, on this machine only."""

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

from badger_sweeps.commands.command import typed_path
from badger_sweeps.core.optional_libraries import require
from badger_sweeps.reporting.page.live import HOST
from badger_sweeps.reporting.reading.search_storage import CONFIRMATION, SearchLocation, UnreadableError
from badger_sweeps.search.storage import JOURNAL

EXAMPLE = "badger-sweeps dashboard runs/shorten_plateaus_quick"
PORT = 8080
RUNS = Path("runs")
READ_METHODS = ("GET", "HEAD")
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=typed_path,
        nargs="?",
        help=f"the folder of a search; default: the newest search below {RUNS}/",
    )
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or a free one if it is taken; 0: a free one")


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    require("optuna_dashboard", "The dashboard")
    location = location_of(options.folder)
    storage, name = location.open()
    server = bind(storage, options.port)
    study_id = storage.get_study_id_from_name(name)
    print(f"{name}: http://{HOST}:{server.server_port}/dashboard/studies/{study_id} (read only; Ctrl-C ends it)")
    for line in wandb_commands(location.folder):
        print(line)
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


def read_only(application: Application) -> Application:
    """The application without its requests that write.

    The dashboard can delete studies, end trials and add notes. The first two would cost a running search its trials.
    """

    def guarded(request: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        if request["REQUEST_METHOD"] in READ_METHODS:
            return application(request, answer)
        answer("405 Method Not Allowed", [("Content-Type", "application/json"), ("Allow", ", ".join(READ_METHODS))])
        return [b'{"reason": "This dashboard is read only: processes may be working on the search."}']

    return guarded


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def bind(storage: BaseStorage, port: int | None) -> WSGIServer:
    """A server on this port; without a port on the default one, or on a free one if that is taken."""
    from optuna_dashboard import wsgi  # type: ignore[import-untyped]  # an optional library

    application = read_only(wsgi(storage))
    for candidate in (PORT, 0) if port is None else (port,):
        try:
            return make_server(HOST, candidate, application, server_class=_Server, handler_class=_Quiet)
        except (OSError, OverflowError) as error:
            reason = error
    raise UnreadableError(f"`--port` must be a port that is free; found {port}: {reason}")


def location_of(folder: Path | None) -> SearchLocation:
    """The location of the search in a folder; without a folder, of the newest search below `RUNS`.

    Raises:
        UnreadableError: there is no search.
    """
    if folder is None:
        journals = sorted(RUNS.rglob(JOURNAL), key=lambda path: path.stat().st_mtime)
        if not journals:
            raise UnreadableError(f"there must be a search below `{RUNS}`, or its folder must be given; found none.")
        folder = journals[-1].parent
    location = SearchLocation.of(folder)
    if location is None:
        raise UnreadableError(
            f"`{folder}` must be the folder of a search; found neither {JOURNAL} nor its configuration."
        )
    return location


def wandb_commands(folder: Path) -> list[str]:
    """Lines with the commands that show W&B's offline runs: of the search, its confirmation or the first trial."""
    folders = [folder, *(folder / CONFIRMATION / number for number in "10"), folder / "0"]
    found = [run / "wandb" for run in folders if any((run / "wandb").glob("*/*.wandb"))]
    wandb = Path(sys.executable).with_name("wandb")
    command = os.path.relpath(wandb) if wandb.exists() else "wandb"
    return [f"W&B, offline: {shlex.join([command, 'leet', os.path.relpath(runs)])}" for runs in found[:2]]
