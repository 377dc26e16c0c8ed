"""Addresses of servers, as they may be shown."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):[^\s/]*@")


def without_passwords(words: str) -> str:
    """The text with the password of every address in it left out: ``postgresql://user:***@host/db``."""
    return _PASSWORD.sub(r"\1:***@", words)
