"""nolds, imported without the one warning that version 0.6.2 raises."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # nolds 0.6.2 imports pkg_resources, which announces its own removal; setuptools is pinned below that.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated as an API", category=UserWarning)
    import nolds

__all__ = ["nolds"]
