"""What the commands have in common: one table of them, their arguments, and errors in one line.

A command is a module of this package with `EXAMPLE`, `arguments` (adds its arguments to a parser) and `run` (does it).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, Protocol, cast, runtime_checkable

from badger_sweeps.core.errors import UsageError, nearest

COMMANDS = {
    "report": "print the result table of the runs below a folder, and build its report.html",
    "compare": "compare two runs: what differs between them, by how much their results do, and the page",
    "measure": "measure finished or stopped runs again, from their snapshots",
    "columns": "list all columns of histories and measures, with their titles and units",
    "watch": "show the report of runs while they are going, in a browser on this machine",
    "dashboard": "show a search in Optuna's dashboard, in a browser on this machine",
    "sync": "send the runs below a folder to W&B, each row once",
    "workspace": "make a W&B workspace for the runs below a folder",
    "studies": "list the standard studies: name, question, expected time",
    "study": "run a standard study, and judge its claim; or judge one that was run",
    "replication": "write docs/replication.md, with figures, from what the standard studies left",
    "rays": "draw Schaul's two-dimensional system, with runs of two dimensions on top",
}
"""Every command, and what it does."""


@runtime_checkable
class Command(Protocol):
    """A module of this package that is a command."""

    EXAMPLE: str
    """A command line that does something useful."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, given: argparse.Namespace) -> None:
        """Do it.

        Raises:
            UsageError: the user can mend it.
        """


def run_command(name: str, words: Sequence[str]) -> None:
    """Run a command with the words that follow its name.

    Raises:
        UsageError: the user can mend it.
    """
    command = cast(Command, import_module(f"{__package__}.{name}"))
    parser = _Parser(
        prog=f"badger-sweeps {name}",
        description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.",
        epilog=f"Example: {command.EXAMPLE}",
        allow_abbrev=False,
    )
    command.arguments(parser)
    command.run(parser.parse_args(words))


def unknown_word(word: str) -> UsageError:
    """What to say of a first word that is neither a command nor an override."""
    rule = f"must be KEY=VALUE or a command ({', '.join(COMMANDS)})"
    return UsageError(f"`{word}` {rule}.{nearest(word, COMMANDS)}")


class _Parser(argparse.ArgumentParser):
    """Raises what is wrong with the arguments as one line, and exits with status 0 after ``--help``."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(self._one_line(message))

    def _one_line(self, message: str) -> str:
        """Argparse's message as the parameter, the rule, and what was found."""
        if found := re.fullmatch(r"the following arguments are required: (.+)", message):
            return f"{found[1]} must be given; found nothing. {self.epilog}"
        if found := re.fullmatch(r"unrecognized arguments: (.+)", message):
            known = [option for action in self._actions for option in action.option_strings]
            word = found[1].split()[0]
            return f"`{word}` is not an argument of {self.prog}.{nearest(word.partition('=')[0], known)}"
        if found := re.fullmatch(r"argument ([^:]+): invalid (\w+) value: (.+)", message):
            return f"`{found[1]}` must be {_KINDS.get(found[2], found[2])}; found {found[3]}."
        if found := re.fullmatch(r"argument ([^:]+): invalid choice: (.+) \(choose from (.+)\)", message):
            return f"`{found[1]}` must be one of {found[3]}; found {found[2]}."
        if found := re.fullmatch(r"argument ([^:]+): expected (?:one|at least one) argument", message):
            return f"`{found[1]}` must have a value; found none."
        return message


_KINDS = {"int": "a whole number", "float": "a number", "Path": "a path"}
"""Types of arguments, in words."""
