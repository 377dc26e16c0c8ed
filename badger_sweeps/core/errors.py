"""Errors that the user made, and can correct."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(ValueError):
    """Something the user typed, or a folder the user named, cannot be used.

    The message is one line that names the key, the rule and the value found. Commands print it and exit with status 2;
    any other exception is a defect of the program, and is shown with its traceback.
    """


def nearest(name: str, valid: Iterable[str]) -> str:
    """The text `` Did you mean `X`?`` for the valid name X closest to `name`; empty if none is close."""
    candidates = sorted(valid)
    prefix, _, last = name.rpartition(".")
    siblings = {valid.removeprefix(f"{prefix}."): valid for valid in candidates if valid.startswith(f"{prefix}.")}
    if siblings:  # compare the last part alone: a correct prefix would make any of them look close
        close = [siblings[match] for match in get_close_matches(last, siblings, n=1, cutoff=0.6)]
    else:
        close = get_close_matches(name, candidates, n=1, cutoff=0.6)
    if not close:  # the user may have typed the last part alone: `iterations` for `training.iterations`
        leaf = name.rsplit(".", 1)[-1]
        by_leaf = {candidate.rsplit(".", 1)[-1]: candidate for candidate in reversed(candidates)}
        close = [by_leaf[match] for match in get_close_matches(leaf, by_leaf, n=1, cutoff=0.8 if siblings else 0.6)]
    return f" Did you mean `{close[0]}`?" if close else ""
