"""Ctrl-C and SIGTERM: the first signal stops the run once what is being computed is saved, the second at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, ClassVar


class Interruption:
    """A context in which the first SIGINT or SIGTERM is recorded instead of raised.

    Attributes:
        signal: the number of the signal that was received, or None.
        noted: how many signals were received in all such contexts of this process.
        latest: the number of the last of them.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)
    noted: ClassVar[int] = 0
    latest: ClassVar[int] = 0

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # Python sets handlers in this thread only
            self._previous = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    @property
    def exit_status(self) -> int:
        """The exit status of a process that a signal stopped, by the convention of shells: 130 for Ctrl-C."""
        return 128 + (self.signal or 0)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        Interruption.noted, Interruption.latest = Interruption.noted + 1, number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
