"""Storages that tests are given."""

from pathlib import Path

import pytest

from tests.search.servers import postgresql, server

__all__ = ["postgresql", "server"]


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """One address for each kind of storage; only PostgreSQL's needs a server."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return {"journal": None, "sqlite": f"sqlite:///{tmp_path}/study.db"}[request.param]
