"""A run's config as lines in which what was set stands out from what was left at its default."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from textseq.config import Component, DataConfig, EmbeddingConfig, RunConfig, TrainingConfig
from textseq.errors import RunDirectoryError, TextseqError, problem
from textseq.registry import registries
from textseq.rundir import RunDirectory

_SECTIONS = {"data": DataConfig, "embedding": EmbeddingConfig, "training": TrainingConfig}
_UNKNOWN = object()  # no default, or none that could be found out


@dataclass(frozen=True)
class Line:
    """One setting.

    Attributes:
        depth: How deep it lies.
        name: Its own.
        value: As YAML writes it; "" for a section.
        default: Whether it was left at its default; a section, whether all in it was.
    """

    depth: int
    name: str
    value: str
    default: bool


def read_settings(run: RunDirectory) -> dict[str, Any]:
    """Returns every setting of a run, as `resolved.yaml` has them.

    Raises:
        RunDirectoryError: The file is no YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = run.resolved.read_text(encoding="utf-8")
        settings = YAML(typ="safe", pure=True).load(io.StringIO(text))
    except (OSError, YAMLError) as error:
        raise RunDirectoryError(problem(str(run.resolved), f"cannot be read: {error}")) from error
    if not isinstance(settings, dict):
        raise RunDirectoryError(problem(str(run.resolved), "is no config", received=settings))
    return settings


def lines(settings: Mapping[str, Any]) -> list[Line]:
    """Returns the settings in their order, each known as set or as left at its default."""
    defaults: dict[str, Any] = {item.name: _default(item) for item in fields(RunConfig)}
    found: list[Line] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            inner = list(_inner(value, _defaults_in(name, value), depth=1))
            found += [Line(0, name, "", all(line.default for line in inner)), *inner]
        else:
            found.append(Line(0, name, written(value), defaults.get(name, _UNKNOWN) == value))
    return found


def written(value: Any) -> str:
    """Returns a value as a config would write it."""
    if isinstance(value, str):
        return (
            value
            if value and value == value.strip() and not set(value) & set("\n#:{}[],&*?|<>=!%@`'\"")
            else _json(value)
        )
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _inner(section: Mapping[str, Any], defaults: Mapping[str, Any], *, depth: int) -> Iterator[Line]:
    for name, value in section.items():
        default = defaults.get(name, _UNKNOWN)
        is_default = (default.to_dict() if isinstance(default, Component) else default) == value
        yield Line(depth, name, written(value), is_default)


def _defaults_in(section: str, value: Mapping[str, Any]) -> dict[str, Any]:
    if section in _SECTIONS:
        return {item.name: _default(item) for item in fields(_SECTIONS[section])}
    if section not in registries:
        return {}
    try:
        arguments = registries[section].arguments(value.get("name", ""))
    except TextseqError:  # a plugin that is not here now
        return {}
    found = {argument.name: argument.default for argument in arguments if not argument.required}
    named = next((item for item in fields(RunConfig) if item.name == section), None)
    default = _UNKNOWN if named is None else _default(named)
    return found | ({"name": default.name} if isinstance(default, Component) else {})


def _default(item: Field[Any]) -> Any:
    if item.default_factory is not MISSING:
        made = item.default_factory()
        return [] if made == () else made
    return _UNKNOWN if item.default is MISSING else [] if item.default == () else item.default
