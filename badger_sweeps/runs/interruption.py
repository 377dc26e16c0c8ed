"""Ctrl-C and SIGTERM: the first asks the run to stop in good order, the second stops it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, ClassVar


class Interruption:
    """Within this context a first SIGINT or SIGTERM is noted instead of raised.

    Attributes:
        signal: the number of the signal that came, or None.
        noted: how many have come in all such contexts of this process.
        latest: the number of the last of them.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)
    noted: ClassVar[int] = 0
    latest: ClassVar[int] = 0

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # only there may handlers be set
            self._previous = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    @property
    def exit_status(self) -> int:
        """What a shell expects of a process that a signal stopped: 130 for Ctrl-C."""
        return 128 + (self.signal or 0)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        Interruption.noted, Interruption.latest = Interruption.noted + 1, number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
