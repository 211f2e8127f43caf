"""Writes the package: an entry point, one component, a test, a config with data, and a page on what to do next."""

from __future__ import annotations

import json
import keyword
import re
import shlex
from pathlib import Path
from string import Template

from textseq.errors import UsageError, problem
from textseq.files import explained, replacing
from textseq.registry import registries
from textseq.scaffold.sentences import SPLITS, rows
from textseq.signatures import find_source

_PLACE = Path(__file__).parent
_GROUPS = {kind: registry.group for kind, registry in registries.items()}
_TAKEN_CLASSES = {"Encoder", "Tokenizer", "Classification", "FocalLoss", "Counter", "Literal", "ClassVar"}
_FILES = {"component.py": "textseq_{name}.py", "test.py": "test_{name}.py"}


def write_package(name: str, folder: str | Path, kind: str = "encoder") -> list[Path]:
    """Writes an installable package with one component that works.

    Args:
        name: What configs will call it: a lower-case word.
        folder: Made by this; nothing may lie there.
        kind: "encoder", "tokenizer" or "task".

    Returns:
        The files, the component's first.

    Raises:
        UsageError: The name is no plain word or is taken, or the folder exists.
    """
    folder = Path(folder)
    _refuse_name(name, kind)
    if folder.exists():
        raise UsageError(problem(str(folder), "exists already, and is left as it is", way_out="Name a new folder"))
    words = {
        "name": name,
        "package": f"textseq-{name.replace('_', '-')}",
        "module": f"textseq_{name}",
        "class_name": _class_name(name),
        "kind": kind,
        "group": _GROUPS[kind],
        "folder": shlex.quote(folder.name),
    }
    with explained(folder):
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    with replacing(folder.absolute()) as beside:
        written = _write(beside, kind, words)
    return [folder / file for file in written]


def _write(folder: Path, kind: str, words: dict[str, str]) -> list[str]:
    """Fills in every template and writes the rows; returns the names of the files."""
    (folder / "data").mkdir(parents=True)
    written = []
    for template in sorted([*(_PLACE / kind).iterdir(), *(_PLACE / "shared").iterdir()]):
        name = _FILES.get(template.name.removesuffix(".txt"), template.name.removesuffix(".txt")).format(**words)
        text = Template(template.read_text(encoding="utf-8")).substitute(words)
        (folder / name).write_text(text, encoding="utf-8")
        written.append(name)
    for split in SPLITS:
        lines = [json.dumps(row) for row in rows(split)]
        (folder / "data" / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.append(f"data/{split}.jsonl")
    return sorted(written, key=lambda name: name != f"{words['module']}.py")


def _class_name(name: str) -> str:
    """Returns the name in capitals, of another form where the file has something of that name already."""
    made = "".join(part.capitalize() for part in name.split("_"))
    return f"My{made}" if made in _TAKEN_CLASSES else made


def _refuse_name(name: str, kind: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        likely = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        sound = likely and not keyword.iskeyword(likely)
        way_out = f"Take '{likely}'" if sound else "Take a word such as 'mine'"
        raise UsageError(problem("NAME", "must be lower-case letters, digits and '_'", received=name, way_out=way_out))
    if name in registries[kind].names():
        taken = f"there is {kind} '{name}' already, {registries[kind].origin(name)}"
        raise UsageError(problem("NAME", taken, way_out="Take another name"))
    if (file := find_source(f"textseq_{name}")) is not None:
        raise UsageError(problem("NAME", f"its module textseq_{name} is there already, {file}", way_out="Take another"))
