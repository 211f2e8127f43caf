"""YAML files as plain data, with the line of every setting; `extends` and `--set` merged in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from textseq.config.problems import Path, Place, Problems
from textseq.errors import ConfigError, problem

_DEEPEST = 20


def read(path: FilePath, overrides: Sequence[str]) -> tuple[dict[str, Any], Problems]:
    """Returns a config file's settings merged over those it extends, with the overrides on top.

    Raises:
        ConfigError: A file is missing, is no YAML, or extends itself.
    """
    places: dict[Path, Place] = {}
    settings = _read_file(path, places, ())
    problems = Problems(str(path), places)
    for override in overrides:
        _override(settings, override, places)
    return settings, problems


def _read_file(path: FilePath, places: dict[Path, Place], chain: tuple[FilePath, ...]) -> dict[str, Any]:
    if path.resolve() in chain or len(chain) > _DEEPEST:
        raise ConfigError(problem(f"{path}: extends", "the files extend each other in a circle"))
    document = _parse(path)
    own: dict[Path, Place] = {}
    settings = _plain(document, (), own, str(path))
    bases = settings.pop("extends", [])
    merged: dict[str, Any] = {}
    for base in bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, str) or not base:
            raise ConfigError(problem(f"{path}: extends", "must be a file or a list of files", received=bases))
        merge(merged, _read_file(path.parent / base, places, (*chain, path.resolve())))
    places.update(own)
    _anchor_files(settings, path.parent)
    merge(merged, settings)
    return merged


def _parse(path: FilePath) -> Mapping[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(problem(str(path), f"cannot read the config: {reason}", way_out=_nearby(path))) from error
    try:
        document = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: is no valid YAML: {str(error.problem).strip()}.") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is no valid YAML: {str(error).strip().splitlines()[0]}.") from error
    if not isinstance(document, Mapping):
        raise ConfigError(problem(str(path), "a config is a mapping of settings", received=document))
    return document


def _plain(node: Any, path: Path, places: dict[Path, Place], source: str) -> Any:
    """Returns ruamel's nodes as dicts, lists and scalars, and notes the line of each."""
    if isinstance(node, Mapping):
        plain = {}
        for key, value in node.items():
            place = node.lc.data.get(key) if hasattr(node, "lc") and node.lc.data else None
            places[(*path, key)] = Place(source, place[0] + 1 if place else None)
            plain[key] = _plain(value, (*path, key), places, source)
        return plain
    if isinstance(node, list):
        return [_plain(item, (*path, number), places, source) for number, item in enumerate(node)]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def merge(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Merges settings into others, mapping by mapping; a component of another name replaces the whole component."""
    for key, value in above.items():
        mine = below.get(key)
        if not (isinstance(mine, dict) and isinstance(value, Mapping)):
            below[key] = value
        elif "name" in value and "name" in mine and value["name"] != mine["name"]:
            below[key] = dict(value)
        else:
            merge(mine, value)


def _override(settings: dict[str, Any], override: str, places: dict[Path, Place]) -> None:
    """Applies one `a.b=value`; the value is YAML. A new component name keeps the arguments that were written."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    place = f"--set {override}"
    key, equals, text = override.partition("=")
    parts = tuple(key.strip().split("."))
    if not equals or not all(parts):
        raise ConfigError(problem(place, "must look like section.setting=value"))
    try:
        value = YAML(typ="safe", pure=True).load(text) if text.strip() else None
    except (YAMLError, ValueError) as error:
        raise ConfigError(problem(place, "the value is no valid YAML", received=text)) from error
    target = settings
    for number, part in enumerate(parts[:-1]):
        inner = target.get(part)
        if isinstance(inner, str) and parts[:number] in ((), ("training",)):
            inner = {"name": inner}  # `optimizer: adam` with `--set training.optimizer.weight_decay=…`
        if not isinstance(inner, dict):
            inner = {}
        target[part] = inner
        target = inner
    target[parts[-1]] = value
    for end in range(1, len(parts) + 1):
        places[parts[:end]] = Place(place)


def _anchor_files(settings: dict[str, Any], folder: FilePath) -> None:
    """Makes `data.data_files`, and `data.path` where it is a folder, relative to the config's own folder."""
    data = settings.get("data")
    if not isinstance(data, dict):
        return

    def anchored(name: Any) -> Any:
        if isinstance(name, dict):
            return {key: anchored(value) for key, value in name.items()}
        if isinstance(name, list):
            return [anchored(value) for value in name]
        remote = not isinstance(name, str) or "://" in name or FilePath(name).is_absolute()
        return name if remote else str((folder / name).resolve())

    if "data_files" in data:
        data["data_files"] = anchored(data["data_files"])
    path = data.get("path")
    if isinstance(path, str) and path.startswith(("./", "../")):
        data["path"] = anchored(path)


def _nearby(path: FilePath) -> str:
    folder = path.parent
    found = sorted(item.name for item in folder.glob("*.yaml"))[:8] if folder.is_dir() else []
    return f"Configs in {folder}: {', '.join(found)}" if found else ""
