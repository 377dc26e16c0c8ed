"""Failures of trials and workers: which ones end the search, and how they are printed in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException

from badger_sweeps.search.state import SearchState
from badger_sweeps.search.table import relative_path
from badger_sweeps.search.trial_outcome import TrialStatus
from hydra_plugins.badger_sweeper._specification import SearchSpecification


class SearchFailed(HydraException):
    """The search has no result; the message is for the user."""


def check_failures(
    specification: SearchSpecification,
    state: SearchState,
    returns: Sequence[tuple[int, JobReturn]],
    print_line: Callable[[str], None],
) -> None:
    """Print the failed trials of a search that has ended.

    Args:
        specification: of the search.
        state: of the search.
        returns: number and job of each trial that this start of the command ended.
        print_line: prints one line for the user.

    Raises:
        SearchFailed: all trials failed, or more than `max_failure_rate`.
    """
    failed = [trial for trial in state.trials if trial.status == TrialStatus.FAILED]
    if not failed:
        return
    if len(failed) / len(state.ended) > specification.settings.max_failure_rate:
        for _, job in returns:
            _ = job.return_value  # raises the first failure
        raise SearchFailed(f"{state.name}: {len(failed)} of {len(state.ended)} trials failed, which is too many")
    for trial in failed[:10]:
        folder = relative_path(specification.folder / str(trial.number))
        print_line(f"{state.name}: trial {trial.number} failed: {trial.reason} ({folder})")
    # Without searched parameters there is nothing to compare, and a completed job need not return a number.
    nothing_searched = not specification.parameters.space.distributions and specification.extend is None
    completed = bool(returns) and all(job.status == JobStatus.COMPLETED for _, job in returns)
    if len(failed) == len(state.ended) and not (nothing_searched and completed):
        raise SearchFailed(f"{state.name}: all {len(failed)} trials failed; the error of each of them is in its folder")


def root_cause(error: BaseException) -> str:
    """The message of the innermost exception, which is that of the database's client."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


def first_line(error: Exception) -> str:
    """The type of an exception and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
