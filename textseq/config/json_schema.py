"""Configs as a JSON schema, so that editors complete and check them while they are written."""

from __future__ import annotations

from typing import Any

from textseq.config.annotations import Names, parse
from textseq.config.composing import _CHOICES, _CLOSED
from textseq.config.kinds import Bounds
from textseq.config.schema import DataConfig, EmbeddingConfig, TrainingConfig, section_fields
from textseq.errors import RegistryError
from textseq.registry import Registry, registries


def json_schema() -> dict[str, Any]:
    """Returns the schema, with the arguments of every component that is installed."""
    properties: dict[str, Any] = {
        "extends": {"type": ["string", "array"], "items": {"type": "string"}},
        "name": {"type": "string"},
        "seed": {"type": "integer", "minimum": 0},
        "data": _section(DataConfig),
        "embedding": _section(EmbeddingConfig),
        "training": _section(TrainingConfig),
    }
    properties |= {kind: _component(registry) for kind, registry in registries.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "textseq config",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _section(section: type) -> dict[str, Any]:
    properties = {}
    for name, item in section_fields(section):
        if name in _CLOSED:
            properties[name] = _closed(name)
        elif name == "callbacks":
            properties[name] = {"type": "array"}
        else:
            kind = _CHOICES.get(name) or parse(str(item.type), Names(item.metadata.get("bounds", Bounds())))
            properties[name] = kind.json_schema()
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _closed(setting: str) -> dict[str, Any]:
    named = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, **{key: parse(text).json_schema() for key, text in known.items()}},
            "required": ["name"],
            "additionalProperties": False,
        }
        for name, known in _CLOSED[setting].items()
    ]
    return {"anyOf": [{"enum": list(_CLOSED[setting])}, *named]}


def _component(registry: Registry) -> dict[str, Any]:
    choices: list[dict[str, Any]] = [{"enum": registry.names()}]
    for name in registry.names():
        try:
            arguments = registry.arguments(name)
        except RegistryError:
            continue  # a broken plugin breaks only itself
        properties = {
            argument.name: {**parse(argument.annotation).json_schema(), "description": argument.doc}
            for argument in arguments
        }
        choices.append(
            {
                "type": "object",
                "properties": {"name": {"const": name}, **properties},
                "required": ["name", *(argument.name for argument in arguments if argument.required)],
                "additionalProperties": False,
            }
        )
    return {"anyOf": choices}
