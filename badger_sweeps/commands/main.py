"""``badger-sweeps``: runs a command if the first argument is one, and otherwise the Hydra application."""

from __future__ import annotations

import sys

import badger_sweeps
from badger_sweeps.commands.command import COMMANDS, run_command
from badger_sweeps.commands.importing import end_uncollected, import_uncollected


def main() -> None:
    """Execute the command line.

    Exit status: 0 after success, 2 after a user error, 130 or 143 after Ctrl-C or SIGTERM.
    """
    end_uncollected()
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    if first in ("--version", "-V"):
        print(f"badger-sweeps {badger_sweeps.__version__}")
        return
    if first in COMMANDS:
        _run(first)
        return
    import_uncollected("badger_sweeps.commands.app")
    from badger_sweeps.commands import app

    app.main()


def _run(name: str) -> None:
    from badger_sweeps.commands.errors import explained
    from badger_sweeps.measures.unmeasurable import print_warnings_in_one_line

    print_warnings_in_one_line()
    try:
        run_command(name, sys.argv[2:])
    except Exception as error:
        raise explained(error, f"badger-sweeps {name}") from error.__cause__
