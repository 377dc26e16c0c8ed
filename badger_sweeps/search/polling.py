"""Eyes on a study: a thread that looks at it now and then and tells whoever wants to know."""

from __future__ import annotations

import threading
from collections.abc import Callable

from badger_sweeps.search.snapshot import StudyView
from badger_sweeps.search.storage import NO_ANSWER
from badger_sweeps.search.study import Study

SECONDS = 1.0
"""Between looks."""


def look(study: Study) -> StudyView:
    """The study now."""
    return StudyView.of(study.name, study.settings.n_trials, study.settings.directions, study.trials())


class Observer:
    """Within this context the study is looked at every second; at its end once more.

    Args:
        study: the study.
        consumers: told of what was seen. They are called from one thread.
        tick: called at every look, before it.
    """

    def __init__(self, study: Study, consumers: list[Callable[[StudyView], None]], tick: Callable[[], None]) -> None:
        self._study, self._consumers, self._tick = study, consumers, tick
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._done.wait(SECONDS):
            try:
                self._look()
            except (OSError, *NO_ANSWER):
                continue  # it may answer the next time

    def _look(self) -> None:
        self._tick()
        view = look(self._study)
        for consumer in self._consumers:
            consumer(view)
