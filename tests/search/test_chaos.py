"""Controllers that are killed again and again lose no trial, try none twice, and change no bit of any.

All searches here are made without a pruner. With one, the iteration at which a trial is stopped depends on which others
were complete by then, so that a kill may change how long a trial's history is, though none of its bits up to there.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.runs.commands import parts
from tests.search.commands import (
    Controller,
    Records,
    command,
    iterations_done,
    parameters,
    resumed_in_the_middle,
    sessions,
    sweep,
    wait_until,
)

CONTROLLERS = 3


class Chaos:
    """Controllers on one search, and whoever kills them.

    The k-th kill is due when k trials have ended, so that kills are spread over the sweep however fast the machine is.
    Each falls where chance puts it: while its victim trains, as it goes from one trial to the next (which is when it
    tells and claims), or at once, whatever it does.

    Args:
        folder: of the sweep.
        address: of its storage; None for the journal.
        overrides: of the command.
    """

    def __init__(self, folder: Path, address: str | None, *overrides: str) -> None:
        stored = [] if address is None else [f"hydra.sweeper.storage={address}"]
        self._words = command(folder, *overrides, *stored, "hydra.sweeper.max_retries=1000")
        self._folder, self._records = folder, Records.of(folder, address)
        self._logs = [folder.parent / f"controller-{number}.log" for number in range(CONTROLLERS)]
        self._controllers = [self._started(log) for log in self._logs]
        self.in_a_trial = 0

    def _started(self, log: Path) -> Controller:
        return Controller(self._words, log)

    def kill(self, kills: int, seed: int) -> None:
        """Kill and restart."""
        chance = np.random.default_rng(seed)
        for due in range(kills):
            wait_until(lambda due=due: self._ended() >= due, self._controllers[0])
            chosen = int(chance.integers(CONTROLLERS))
            victim, delay = self._controllers[chosen], float(chance.random())
            match chance.choice(["training", "between trials", "at once"]):
                case "training":
                    own = self._folder / str(self._at_work(victim))
                    wait_until(lambda own=own: iterations_done(own) > 0, victim)
                    time.sleep(delay)
                case "between trials":
                    number = self._at_work(victim)
                    wait_until(lambda number=number, victim=victim: self._records.running(victim.pid) != number, victim)
                    time.sleep(0.1 * delay)
                case _:
                    time.sleep(delay)
            assert victim.running, f"the sweep was over before the kill: {victim.said}"
            victim.kill()
            # Asked afterwards: a moment before, it may have been about to tell of its trial.
            self.in_a_trial += self._records.running(victim.pid) is not None
            self._controllers[chosen] = self._started(self._logs[chosen])

    def _at_work(self, victim: Controller) -> int:
        """The trial that a controller works on, once it does."""
        return int(wait_until(lambda: str(self._records.running(victim.pid)).replace("None", ""), victim))

    def _ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self._records.trials())

    def wait(self) -> None:
        """Let them finish."""
        for controller in self._controllers:
            assert controller.wait() == 0, controller.said

    def stop(self) -> None:
        for controller in self._controllers:
            controller.kill()


def endure(tmp_path: Path, address: str | None, trials: int, kills: int, iterations: int) -> None:
    search = (
        f"hydra.sweeper.n_trials={trials}",
        f"training.iterations={iterations}",
        f"training.checkpoint_every={iterations // 10}",
    )
    folder = tmp_path / "study"
    chaos = Chaos(folder, address, *search)
    try:
        chaos.kill(kills, seed=6)
        chaos.wait()
    finally:
        chaos.stop()
    peace = tmp_path / "peace" / "study"
    ended = sweep(peace, *search)
    assert ended.returncode == 0, ended.stderr

    stored = Records.of(folder, address).trials()
    assert [trial.number for trial in stored] == list(range(trials))
    assert Records.of(folder, address).statuses() == ["completed"] * trials
    assert len({tuple(sorted(trial.params.items())) for trial in stored}) == trials
    undisturbed = Records.of(peace).trials()
    assert parameters(stored) == parameters(undisturbed)
    assert {trial.number: trial.values for trial in stored} == {trial.number: trial.values for trial in undisturbed}

    folders = [folder / str(number) for number in range(trials)]
    assert sorted(path.name for path in folder.iterdir() if path.name.isdigit()) == sorted(
        trial.name for trial in folders
    )
    for trial in folders:
        assert iterations_done(trial) == iterations
        assert parts(trial) == parts(peace / trial.name), trial.name
    # It was chaos: processes died in trials, and trials went on from where those had come.
    assert chaos.in_a_trial >= kills // 5
    assert sum(Records.of(folder, address).deaths().values()) >= chaos.in_a_trial
    again = resumed_in_the_middle(folders)
    assert len(again) >= kills // 10
    for trial in again:
        assert all(0 <= start["first_iteration"] < iterations for start in sessions(trial))


@pytest.mark.slow
def test_a_few_kills(tmp_path: Path) -> None:
    endure(tmp_path, None, trials=8, kills=5, iterations=2000)


@pytest.mark.slow
def test_thirty_kills_on_a_journal(tmp_path: Path) -> None:
    endure(tmp_path, None, trials=40, kills=30, iterations=4000)


@pytest.mark.slow
def test_thirty_kills_on_postgresql(tmp_path: Path, postgresql: str) -> None:
    endure(tmp_path, postgresql, trials=40, kills=30, iterations=4000)
