"""The one kind of error that is meant for the person at the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(ValueError):
    """Something the user typed, or a folder the user named, cannot be used.

    The message is one line that names the key, the rule and what was found. Commands print it and exit with
    status 2; everything else that is raised is a defect and keeps its traceback.
    """


def nearest(name: str, valid: Iterable[str]) -> str:
    """`` Did you mean X?`` for the valid name closest to `name`, or nothing when none is close."""
    candidates = sorted(valid)
    prefix, _, last = name.rpartition(".")
    siblings = {valid.removeprefix(f"{prefix}."): valid for valid in candidates if valid.startswith(f"{prefix}.")}
    if siblings:  # a prefix that is right must not make up for a last part that is like nothing
        close = [siblings[match] for match in get_close_matches(last, siblings, n=1, cutoff=0.6)]
    else:
        close = get_close_matches(name, candidates, n=1, cutoff=0.6)
    if not close:  # `iterations` for `training.iterations`: the last part may be the whole of what was meant
        leaf = name.rsplit(".", 1)[-1]
        by_leaf = {candidate.rsplit(".", 1)[-1]: candidate for candidate in reversed(candidates)}
        close = [by_leaf[match] for match in get_close_matches(leaf, by_leaf, n=1, cutoff=0.8 if siblings else 0.6)]
    return f" Did you mean `{close[0]}`?" if close else ""
