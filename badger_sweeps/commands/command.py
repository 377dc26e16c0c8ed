"""The table of commands, and the parsing of their arguments, with errors in one line.

A command is a module of this package with `EXAMPLE`, `arguments` (adds its arguments to a parser) and `run`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Protocol, cast, runtime_checkable

from badger_sweeps.commands.importing import import_uncollected
from badger_sweeps.core.errors import UsageError, nearest

COMMANDS = {
    "report": "print the result table of the runs below a folder, and build its report.html",
    "compare": "compare two runs: keys in which they differ, differences of their results, and a page with both",
    "measure": "measure finished or stopped runs again, from their snapshots",
    "columns": "list all columns of histories and measures, with their titles and units",
    "watch": "show the report of runs while they are running, in a browser on this machine",
    "dashboard": "show a search in Optuna's dashboard, in a browser on this machine",
    "sync": "send the runs below a folder to W&B, each row once",
    "workspace": "make a W&B workspace for the runs below a folder",
    "studies": "list the standard studies: name, question, expected time",
    "study": "run a standard study, and judge its claim; or judge one that was run",
    "replication": "write docs/replication.md, with figures, from what the standard studies left",
    "rays": "draw Schaul's two-dimensional system, with runs of two dimensions on top",
}
"""The commands by name, with their descriptions."""


@runtime_checkable
class Command(Protocol):
    """A module of this package that is a command."""

    EXAMPLE: str
    """An example command line."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, options: argparse.Namespace) -> None:
        """Execute the command.

        Raises:
            UsageError: there was a user error.
        """


def run_command(name: str, arguments: Sequence[str]) -> None:
    """Run a command with the arguments that follow its name.

    Raises:
        UsageError: there was a user error.
    """
    command = cast(Command, import_uncollected(f"{__package__}.{name}"))
    parser = _Parser(
        prog=f"badger-sweeps {name}",
        description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.",
        epilog=f"Example: {command.EXAMPLE}",
        allow_abbrev=False,
    )
    command.arguments(parser)
    command.run(parser.parse_args(arguments))


def typed_path(text: str) -> Path:
    """A path among a command's arguments; an empty one, as from a variable of the shell that is not set, is refused."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path; found ''.")
    return Path(text)


def unknown_word(word: str) -> UsageError:
    """The error for a first argument that is neither a command nor an override."""
    rule = f"must be KEY=VALUE or a command ({', '.join(COMMANDS)})"
    return UsageError(f"`{word}` {rule}.{nearest(word, COMMANDS)}")


class _Parser(argparse.ArgumentParser):
    """Raises errors in arguments as a `UsageError` of one line, and exits with status 0 after ``--help``."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(self._one_line(message))

    def _one_line(self, message: str) -> str:
        if found := re.fullmatch(r"the following arguments are required: (.+)", message):
            optional = {action.metavar for action in self._actions if action.nargs == "*"}
            required = [name for name in found[1].split(", ") if name not in optional]
            return f"{', '.join(required)} must be given; found nothing. {self.epilog}"
        if found := re.fullmatch(r"unrecognized arguments: (.+)", message):
            known = [option for action in self._actions for option in action.option_strings]
            word = found[1].split()[0]
            return f"`{word}` is not an argument of {self.prog}.{nearest(word.partition('=')[0], known)}"
        return argument_error(message)


def argument_error(message: str) -> str:
    """Argparse's message about an argument as one line with the parameter, the rule, and the value found."""
    if found := re.fullmatch(r"argument ([^:]+): invalid (\w+) value: (.+)", message):
        return f"`{found[1]}` must be {_KINDS.get(found[2], found[2])}; found {found[3]}."
    if found := re.fullmatch(r"argument ([^:]+): invalid choice: (.+) \(choose from (.+)\)", message):
        return f"`{found[1]}` must be one of {found[3]}; found {found[2]}."
    if found := re.fullmatch(r"argument ([^:]+): ignored explicit argument (.+)", message):
        return f"`{found[1]}` must be given without a value; found {found[2]}."
    if found := re.fullmatch(r"argument ([^:]+): expected (?:one|at least one) argument", message):
        return f"`{found[1]}` must have a value; found none."
    if found := re.fullmatch(r"argument ([^:]+): (must .+)", message):
        return f"`{found[1]}` {found[2]}"
    return message


_KINDS = {"int": "a whole number", "float": "a number"}
"""Descriptions of the types of arguments."""
