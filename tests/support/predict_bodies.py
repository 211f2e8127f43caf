"""Bodies of predict requests, by row and by column."""

from __future__ import annotations

from typing import Any


def rows(signature_name: str, *instances: Any) -> dict[str, Any]:
    return {"signature_name": signature_name, "instances": list(instances)}


def columns(signature_name: str, inputs: Any) -> dict[str, Any]:
    return {"signature_name": signature_name, "inputs": inputs}
