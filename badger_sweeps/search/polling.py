"""The poller: a thread that reads the state of a search every second and gives it to its consumers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from badger_sweeps.search.search import Search
from badger_sweeps.search.state import SearchState
from badger_sweeps.search.storage import storage_errors

SECONDS = 1.0
"""Between two readings of the state."""


class Poller:
    """Within this context a thread polls the search every second; when the context ends, it polls once more.

    Args:
        search: the search.
        consumers: each is called with every state, all from one thread.
        tick: called before the state is read.
    """

    def __init__(
        self, search: Search, consumers: list[Callable[[SearchState], None]], tick: Callable[[], None]
    ) -> None:
        self._search, self._consumers, self._tick = search, consumers, tick
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def __enter__(self) -> Poller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._poll()

    def _run(self) -> None:
        while not self._done.wait(SECONDS):
            try:
                self._poll()
            except OSError:
                continue  # the storage may answer the next time
            except storage_errors():
                continue

    def _poll(self) -> None:
        self._tick()
        state = self._search.state()
        for consumer in self._consumers:
            consumer(state)
