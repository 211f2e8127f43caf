"""Where a run's components came from: recorded with the run, compared when it is loaded, and how to get them back."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from textseq.errors import RegistryError
from textseq.plugins import is_single_file
from textseq.registry import Origin, registries
from textseq.rundir import RunDirectory

_RECORDED = ("kind", "name", "package", "version", "module", "qualified", "file", "sha256")


class Components(Protocol):
    """Anything that names components: a `RunConfig`."""

    def components(self) -> Iterable[tuple[str, str]]:
        """Returns (kind, name) pairs, such as ("encoder", "lstm")."""


@dataclass(frozen=True)
class Provenance:
    """What a run was made with.

    Attributes:
        records: For each component its origin, for `plugins.json`; `copy` names the file that the run carries.
        copies: The sources of plugins that are a single file, by their path in the run directory.
    """

    records: list[dict[str, Any]]
    copies: dict[str, bytes]

    @classmethod
    def of(cls, config: Components) -> Provenance:
        """Reads it; before a run directory is cleared, in which a plugin may lie."""
        records, places, copies = [], dict[str, str](), dict[str, bytes]()
        for kind, name in config.components():
            origin = registries[kind].origin(name)
            record = _record(origin)
            if origin.file and is_single_file(origin.module):
                if origin.file not in places:
                    places[origin.file] = _free(f"plugins/{Path(origin.file).name}", copies)
                    copies[places[origin.file]] = Path(origin.file).read_bytes()
                record["copy"] = places[origin.file]
            records.append(record)
        return cls(records, copies)

    def write(self, run: RunDirectory) -> None:
        """Writes `plugins.json`, and the copies; they are for the user to name, and never imported by themselves."""
        for name, source in self.copies.items():
            run.write_bytes(name, source)
        run.write_json("plugins.json", self.records)


def check_provenance(records: Iterable[Mapping[str, Any]], run: Path | None = None) -> list[str]:
    """Compares what a run was made with and what is installed now.

    Args:
        records: `plugins.json` of the run.
        run: The run directory, which may carry copies.

    Returns:
        A sentence for each component whose source is another than it was.

    Raises:
        RegistryError: A component is missing; says what to install or which file to name.
    """
    changed = []
    for record in records:
        registry = registries[record["kind"]]
        if record["name"] not in registry.names():
            way_back = _way_back(record, run)
            raise RegistryError(f"{record['kind']} '{record['name']}': the run needs it and it is not here. {way_back}")
        if (now := registry.origin(record["name"])).sha256 != record["sha256"]:
            sources = f"{_described(record)}; now {_described(_record(now))}"
            copy = _copy(record, run)
            back = f" As it was: --plugin {_quoted(copy)}." if copy and not now.package else ""
            wrong = f"its source is another than when the run was made ({sources})"
            changed.append(f"{record['kind']} '{record['name']}': {wrong}.{back}")
    return changed


def copies_in(run: RunDirectory) -> list[Path]:
    """Returns the plugin files that a run carries, which later commands need by --plugin."""
    records = run.read_json("plugins.json") if run.plugins.is_file() else []
    found = (_copy(record, run.path) for record in records)
    return list(dict.fromkeys(path for path in found if path is not None))


def _record(origin: Origin) -> dict[str, Any]:
    return {name: getattr(origin, name) for name in _RECORDED}


def _free(name: str, taken: Iterable[str]) -> str:
    """Returns the name, with a number where it is taken: two folders may hold files of one name."""
    path, number, free = Path(name), 1, name
    while free in taken:
        number += 1
        free = f"{path.parent}/{path.stem}_{number}{path.suffix}"
    return free


def _described(record: Mapping[str, Any]) -> str:
    place = f"{record['package']} {record['version']}" if record["package"] else str(record["file"])
    return f"{place}, sha256 {str(record['sha256'])[:12]}"


def _copy(record: Mapping[str, Any], run: Path | None) -> Path | None:
    """Returns the copy of a component's file that a run carries, if there is one."""
    if run is None or not record.get("copy"):
        return None
    path = run / str(record["copy"])
    return path if path.is_file() else None


def _way_back(record: Mapping[str, Any], run: Path | None) -> str:
    if record["package"]:
        return f"Install it: pip install {record['package']}=={record['version']}."
    if (copy := _copy(record, run)) is not None:
        return f"Pass the copy that the run carries: --plugin {_quoted(copy)}."
    return f"Pass the file that defines it (sha256 {str(record['sha256'])[:12]}…): --plugin {_quoted(record['file'])}."


def _quoted(path: str | Path) -> str:
    return shlex.quote(str(path))
