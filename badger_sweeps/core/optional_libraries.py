"""Libraries that only some choices need: ``pip install badger_sweeps`` leaves them out, and its extras add them."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS = {
    "cmaes": "cmaes",
    "cvxpy": "cagrad",
    "matplotlib": "figures",
    "optuna_dashboard": "dashboard",
    "psycopg": "postgresql",
    "pydmd": "modes",
}
"""The optional libraries by the names they are imported by, with the extra in `pyproject.toml` that installs each."""


class MissingLibraryError(ImportError):
    """What the user asked for needs an optional library that is not installed; the message is one line."""


def require(library: str, what: str) -> None:
    """Refuse what needs an optional library that is not installed. The library is not imported.

    Args:
        library: the library, a name of `EXTRAS`.
        what: what needs it, the subject of the message.

    Raises:
        MissingLibraryError: it is not installed.
    """
    if find_spec(library) is None:
        install = f"pip install 'badger_sweeps[{EXTRAS[library]}]'"
        raise MissingLibraryError(f"{what} needs {library}, which is not installed: {install} installs it")
