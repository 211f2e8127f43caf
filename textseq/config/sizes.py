"""Amounts of memory as people write them."""

from __future__ import annotations

import re
from typing import Any

from textseq.config.kinds import Kind

_PATTERN = r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B"
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


class Size(Kind):
    """A number with a unit: "4GB", "512 MB", "1.5GiB"."""

    text = "a size such as 4GB or 512MB"

    def fits(self, value: Any) -> bool:
        """A text of that form that is not zero."""
        return isinstance(value, str) and re.fullmatch(_PATTERN, value) is not None and in_bytes(value) > 0

    def json_schema(self) -> dict[str, Any]:
        """A string of that form."""
        return {"type": "string", "pattern": f"^{_PATTERN}$"}


def in_bytes(size: str) -> int:
    """Returns what a size says: GB are powers of 1000, GiB of 1024.

    Raises:
        ValueError: It says nothing.
    """
    found = re.fullmatch(_PATTERN, size)
    if found is None:
        raise ValueError(f"{size!r} is no size")
    number, unit, binary = found.groups()
    return round(float(number) * (1024 if binary else 1000) ** _POWERS[unit])


def in_words(count: int) -> str:
    """Returns bytes as a size: "1.25GB"."""
    unit = next((unit for unit in "TGM" if count >= 1000 ** _POWERS[unit]), "K")
    return f"{count / 1000 ** _POWERS[unit]:.3g}{unit}B"
