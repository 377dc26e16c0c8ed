"""Names of limited length."""

from __future__ import annotations

import hashlib


def shortened(name: str, longest: int) -> str:
    """`name`, or its beginning and a hash of it if it is longer than `longest`: different names stay different."""
    if len(name) <= longest:
        return name
    ending = f"~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name[: longest - len(ending)] + ending
