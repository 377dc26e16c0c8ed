"""Addresses of servers without their passwords."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):\S*@")  # to the last @, since an unquoted password may contain one
_QUERY = re.compile(r"(?<=[?&])(\w*password)=[^\s&'\"]*")


def without_passwords(text: str) -> str:
    """`text` with every password of an address replaced: ``postgresql://user:***@host/db``."""
    return _QUERY.sub(r"\1=***", _PASSWORD.sub(r"\1:***@", text))
