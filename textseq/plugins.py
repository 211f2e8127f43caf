"""Plugin files and folders, and the record of where a run's components came from."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from textseq.errors import PluginImportError, RegistryError, problem
from textseq.registry import Origin, registries

_NO_PLUGIN_FILES = ("_*", "test_*", "*_test.py", "conftest.py", "setup.py")


class Components(Protocol):
    """Anything that names components: a `RunConfig`."""

    def components(self) -> Iterable[tuple[str, str]]:
        """Returns (kind, name) pairs, such as ("encoder", "lstm")."""


def load_plugin(path: str | Path) -> tuple[Origin, ...]:
    """Imports a plugin and returns what it registers.

    This runs the plugin's code, so it happens only for what the user names on the command line, never for what a config
    or a run directory names. A plugin that is loaded already is not run again.

    Args:
        path: A Python file, a package (a folder with `__init__.py`), or a folder of Python files. Never a URL.

    Raises:
        RegistryError: There is no such file, it does not import, or it registers nothing.
    """
    if "://" in str(path):
        way_out = "Download it, read it, and name the file"
        raise RegistryError(
            problem("--plugin", "must be a file or a folder, not a URL", received=path, way_out=way_out)
        )
    modules = [_import(file, str(path)) for file in _files(Path(path).expanduser().resolve(), str(path))]
    origins = [
        registry.origin(name)
        for registry in registries.values()
        for module in modules
        for name in registry.registered_by(module)
    ]
    if not origins:
        way_out = "Decorate the class: @encoders.register('name'), with `from textseq.registry import encoders`"
        raise PluginImportError(problem(str(path), "registers nothing", way_out=way_out))
    return tuple(origins)


def provenance(config: Components) -> list[dict[str, Any]]:
    """Returns where every component of a run comes from, for `plugins.json`."""
    return [_record(registries[kind].origin(name)) for kind, name in config.components()]


def check_provenance(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Compares what a run was made with and what is installed now.

    Args:
        records: What `provenance` returned when the run was made.

    Returns:
        A sentence for each component whose source is another than it was.

    Raises:
        RegistryError: A component is missing; says what to install or which file to name.
    """
    changed = []
    for record in records:
        registry = registries[record["kind"]]
        if record["name"] not in registry.names():
            raise RegistryError(
                f"{record['kind']} '{record['name']}': the run needs it and it is not here. {_way_back(record)}"
            )
        if (now := registry.origin(record["name"])).sha256 != record["sha256"]:
            changed.append(
                f"{record['kind']} '{record['name']}': its source is another than when the run was made "
                f"({_described(record)}; now {_described(_record(now))})."
            )
    return changed


def _record(origin: Origin) -> dict[str, Any]:
    names = ("kind", "name", "package", "version", "module", "qualified", "file", "sha256")
    return {name: getattr(origin, name) for name in names}


def _described(record: Mapping[str, Any]) -> str:
    place = f"{record['package']} {record['version']}" if record["package"] else str(record["file"])
    return f"{place}, sha256 {str(record['sha256'])[:12]}"


def _way_back(record: Mapping[str, Any]) -> str:
    if record["package"]:
        return f"Install it: pip install {record['package']}=={record['version']}."
    return f"Pass the file that defines it (sha256 {str(record['sha256'])[:12]}…): --plugin {record['file']}."


def _files(place: Path, shown: str) -> list[Path]:
    """Returns the files that make up a plugin; of a package, its `__init__.py`."""
    if not place.exists():
        raise RegistryError(problem("--plugin", "there is no such file or folder", received=shown))
    if place.is_dir():
        if (package := place / "__init__.py").is_file():
            return [package]
        files = [
            file for file in sorted(place.glob("*.py")) if not any(file.match(pattern) for pattern in _NO_PLUGIN_FILES)
        ]
        if not files:
            raise RegistryError(problem("--plugin", "the folder holds no Python files", received=shown))
        return files
    if place.suffix != ".py":
        raise RegistryError(problem("--plugin", "must be a .py file or a folder of them", received=shown))
    return [place]


def _import(file: Path, shown: str) -> str:
    """Imports one file or package under a name of its own and returns that name."""
    is_package = file.name == "__init__.py"
    name = _module_name(file.parent if is_package else file)
    if name in sys.modules:
        return name
    locations = [str(file.parent)] if is_package else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=locations)
    if spec is None or spec.loader is None:
        raise RegistryError(problem(shown, "is no Python file"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
        if isinstance(error, RegistryError):
            raise
        raise PluginImportError(f"{_place(file, error)}: {type(error).__name__}: {str(error).rstrip('.')}.") from error
    return name


def _module_name(path: Path) -> str:
    """Returns `textseq_plugin_<file>`, with a part of the path's hash, for two folders may hold equal file names."""
    return f"textseq_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _place(file: Path, error: Exception) -> str:
    """Returns the file and line of the plugin that an error comes from."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(file.parent) in frame.filename]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(file)
