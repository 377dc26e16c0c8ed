"""Hydra's own contract for launchers, and for sweepers that launch in batches, kept by this sweeper.

The tests are Hydra's, unchanged. A launcher is given a worker instead of a job, so its contract holds only if a worker
does for each job what the launcher would have done.
"""

from __future__ import annotations

import pytest
from hydra import version
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, LauncherTestSuite

from hydra_plugins.badger_sweeper.sweeper import BadgerSweeper

SWEEPER = "hydra/sweeper=badger"


@pytest.fixture(autouse=True)
def _defaults_that_the_suites_expect(hydra_restore_singletons: None) -> None:
    version.setbase("1.1")  # jobs change into their folders; other tests in this process may have set another


def test_hydra_finds_the_sweeper() -> None:
    found = [own.__name__ for own in Plugins.instance().discover(Sweeper)]  # Hydra imports plugins anew
    assert found.count(BadgerSweeper.__name__) == 1


@pytest.mark.parametrize(("launcher_name", "overrides"), [("basic", [SWEEPER])])
class TestJobsOfTheBasicLauncher(LauncherTestSuite):
    pass


@pytest.mark.parametrize(("launcher_name", "overrides"), [("basic", [SWEEPER, "hydra.sweeper.n_jobs=2"])])
class TestBatchesOfTheBasicLauncher(BatchedSweeperTestSuite):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("launcher_name", "overrides"), [("joblib", [SWEEPER])])
class TestJobsOfJoblib(LauncherTestSuite):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("launcher_name", "overrides"), [("joblib", [SWEEPER, "hydra.sweeper.n_jobs=2"])])
class TestBatchesOfJoblib(BatchedSweeperTestSuite):
    pass
