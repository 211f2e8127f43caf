"""Two configs side by side, setting by setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MISSING = object()


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns the settings by dotted path, such as `training.epochs`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Returns the settings that differ, by dotted path, each with both values; None where one has it not."""
    first, second = flat(one), flat(other)
    return {
        name: (first.get(name), second.get(name))
        for name in sorted({*first, *second})
        if first.get(name, _MISSING) != second.get(name, _MISSING)
    }
