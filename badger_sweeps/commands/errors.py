"""User errors: printed as one line that says what to change, with exit status 2 and without a traceback."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from badger_sweeps.configuration.files import choices, choices_with, known_keys
from badger_sweeps.core.errors import UsageError, nearest
from badger_sweeps.core.optional_libraries import MissingLibraryError

EXIT_STATUS = 2
full_errors = os.environ.get("HYDRA_FULL_ERROR") == "1"
"""Whether the user asked for tracebacks; read at import, since `app.main` sets the variable for Hydra."""


def is_user_error(error: BaseException) -> bool:
    """Whether the user can fix the cause of an error; all other errors are defects and keep their traceback.

    Includes the `ValueError`s that Hydra raises while it reads the command line.
    """
    if isinstance(error, UsageError | MissingLibraryError | HydraException | OmegaConfBaseException | OSError):
        return True
    raised_in = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, ValueError) and raised_in[-1].startswith("hydra.")


def explained(error: Exception, program: str = "badger-sweeps") -> Exception | SystemExit:
    """The exception to raise for `error`: a defect itself, or after printing a user error the `SystemExit`.

    Args:
        error: the exception that was raised.
        program: the name that the printed line begins with.
    """
    if isinstance(error, BrokenPipeError):  # the process that reads our output has ended
        return SystemExit(128 + signal.SIGPIPE)
    if not is_user_error(error):
        return error
    if full_errors:
        traceback.print_exception(error)
    else:
        print(f"{program}: {one_line(error)}", file=sys.stderr)
    return SystemExit(EXIT_STATUS)


def one_line(error: BaseException) -> str:
    """The error in one line, with the nearest valid key or choice if one was misspelt."""
    text = str(error)
    if isinstance(error, UsageError):
        return text
    if isinstance(error, MissingLibraryError):
        return f"{text}."
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        where = f"`{error.filename}`" if error.filename else "the run's folder"
        return f"{where} must be one that can be read and written; found: {error.strerror or text}."
    if isinstance(error, OverrideParseException):
        rule = "must be KEY=VALUE, with a value that has spaces or special characters in quotes (\"KEY='a value'\")"
        return f"`{error.override}` {rule}."
    if key := _first(r"Could not (?:override|delete from config\.) '([^']+)'", text):
        within = _first(r"full_key: (\S+)", str(error.__cause__))  # a key of a mapping that was given as one value
        key = within if within and within.startswith(f"{key}.") else key
        group = key.split(".")[0]
        if owners := choices_with(key):
            return f"`{key}` is a key of {group}={'|'.join(owners)}, not of the choice made."
        known = [] if group == "hydra" else [valid for valid in known_keys() if "." in valid or "." not in key]
        return f"`{key}` is not a known key.{nearest(key, known)}"
    if key := _first(r"An item is already at '([^']+)'", text):
        return f"`{key}` must be set without the +, since it is a known key."
    if missing := re.search(r"Could not find '([^']+)/([^'/]*)'", text):
        group, choice = missing.groups()
        valid = choices(group)
        if not valid:  # a path instead of a choice
            group, _, rest = group.partition("/")
            choice, valid = f"{rest}/{choice}", choices(group)
        return f"`{group}` must be one of {', '.join(valid)}; found {choice!r}.{nearest(choice, valid)}"
    if key := _first(r"Missing key (\S+)", text) or _first(r"Missing mandatory value: \S+\s+full_key: (\S+)", text):
        return f"`{key}` must be given; found nothing."
    if key := _first(r"Ambiguous value for argument '([^'=]+)", text):
        return f"`{key}` has several values; put -m before them to run one after another."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
