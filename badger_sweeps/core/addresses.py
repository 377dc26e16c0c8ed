"""Addresses of servers, as they may be shown."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):\S*@")  # to the last @, since a password that is not quoted may have some
_QUERY = re.compile(r"(?<=[?&])(\w*password)=[^\s&'\"]*")


def without_passwords(words: str) -> str:
    """The text with the password of every address in it left out: ``postgresql://user:***@host/db``."""
    return _QUERY.sub(r"\1=***", _PASSWORD.sub(r"\1:***@", words))
