"""``badger-sweeps`` with a clock: ``python -m benchmarks.starting MARKS OVERRIDE...`` writes when it came how far."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARKS = Path(sys.argv[1])


def mark(name: str) -> None:
    """Write down the moment, and how much this process has computed by then."""
    with MARKS.open("a") as file:
        file.write(f"{time.time()} {time.process_time()} {name}\n")


def marked(owner: Any, name: str, before: str = "", after: str = "") -> None:
    """Mark every call of a function."""
    original: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        if before:
            mark(before)
        answer = original(*arguments, **named)
        if after:
            mark(after)
        return answer

    setattr(owner, name, call)


def main() -> None:
    """Run the command."""
    mark("the interpreter runs")
    from badger_sweeps.commands.importing import end_uncollected, import_uncollected

    end_uncollected()
    import_uncollected("badger_sweeps.commands.app")
    from badger_sweeps.commands import app, preflight

    mark("Hydra is imported")
    check = preflight.Preflight.on_multirun_start

    def checked(self: preflight.Preflight, *arguments: Any, **named: Any) -> None:
        mark("the configuration is composed")
        check(self, *arguments, **named)
        mark("PyTorch is imported, the search is checked")
        from badger_sweeps.runs.history import History
        from badger_sweeps.search import trial_training
        from badger_sweeps.search.search import Search

        marked(Search, "begin", before="Optuna is imported", after="the search is made")
        marked(Search, "claim", before="a worker runs", after="a trial is claimed")
        marked(trial_training, "run_trial", before="the trial's configuration is composed and checked")
        marked(History, "observe", after="an iteration is done")

    preflight.Preflight.on_multirun_start = checked  # type: ignore[method-assign]
    sys.argv = ["badger-sweeps", *sys.argv[2:]]
    app.main()


if __name__ == "__main__":
    main()
