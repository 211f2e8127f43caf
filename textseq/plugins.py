"""Plugin files and folders that the user names."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path

from textseq.errors import PluginImportError, RegistryError, problem
from textseq.registry import Origin, registries

_PREFIX = "textseq_plugin_"
_NO_PLUGIN_FILES = ("_*", "test_*", "*_test.py", "conftest.py", "setup.py")


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


def is_single_file(module: str) -> bool:
    """Whether a module is a plugin that a user named, and one file and no more."""
    return module.startswith(_PREFIX) and not hasattr(sys.modules.get(module), "__path__") and "." not in module


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
    except (Exception, SystemExit) as error:
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
        if isinstance(error, RegistryError):
            raise
        raise PluginImportError(f"{_place(file, error)}: {type(error).__name__}: {str(error).rstrip('.')}.") from error
    return name


def _module_name(path: Path) -> str:
    """Returns `textseq_plugin_<file>`, with a part of the path's hash, for two folders may hold equal file names."""
    word = re.sub(r"\W", "_", path.stem)  # a dot in it would make it a module of a package
    return f"{_PREFIX}{word}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _place(file: Path, error: BaseException) -> str:
    """Returns the file and line of the plugin that an error comes from."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(file.parent) in frame.filename]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(file)
