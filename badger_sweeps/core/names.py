"""Names that fit where they must."""

from __future__ import annotations

import hashlib


def shortened(name: str, longest: int) -> str:
    """`name`, or its beginning and a hash of the whole where it is longer than `longest`: different names stay so."""
    if len(name) <= longest:
        return name
    ending = f"~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name[: longest - len(ending)] + ending
