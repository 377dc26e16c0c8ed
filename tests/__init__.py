"""How shapes and types are checked when tests run (see addopts in pyproject.toml)."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int is a float, as type checkers have it (PEP 484)."""
