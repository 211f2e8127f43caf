"""What a run was made of: data, config, machine and components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from textseq.reporting.chart import Section, Table
from textseq.reporting.facts import Facts
from textseq.reporting.numbers import amount, percent
from textseq.reporting.settings import lines


def data(facts: Facts) -> Iterator[Section]:
    """Yields what was found in the data, where the run has it."""
    audit = facts.file(facts.run.audit.name)
    if not audit:
        return
    heads = [
        "split",
        "rows",
        "empty",
        "duplicates",
        "also in train",
        "tokens",
        "median length",
        "90 % up to",
        "longest",
    ]
    rows = []
    for name, entry in audit["splits"].items():
        counts = [amount(entry[key]) for key in ("rows", "empty", "duplicates")]
        lengths = [amount(entry["length_quantiles"][key]) for key in ("0.5", "0.9", "1.0")]
        rows.append(
            [name, *counts, "–" if name == "train" else amount(entry["in_train"]), amount(entry["tokens"]), *lengths]
        )
    tables = [("Splits", Table(heads, rows, "What was found in each split"))]
    classes = audit.get("classes")
    if classes:
        tables.append(("Classes in train", _balance(classes, audit["splits"]["train"]["rows"])))
    says = [f"Dataset {facts.settings.get('data', {}).get('path', '')}."]
    says += ["Validation is held out of train."] if audit["held_out"] else []
    says += ["Train is streamed; its first rows were looked at."] if audit["streamed"] else []
    says += [f"{amount(audit['conflicting'])} texts of train have two labels."] if audit.get("conflicting") else []
    yield Section("data", "Data", " ".join(says), tables=tables)


def _balance(classes: Mapping[str, Any], rows: int) -> Table:
    counted = sorted(classes["rows"].items(), key=lambda item: -item[1])
    most = max(classes["rows"].values()) or 1
    cells = [[name, amount(count), percent(count / max(rows, 1))] for name, count in counted]
    bars = {1: [count / most for _, count in counted]}
    return Table(["class", "rows", "share"], cells, "Rows of each class in train", bars=bars, sortable=True)


def config(facts: Facts) -> Iterator[Section]:
    """Yields every setting, where the run has it."""
    says = "Bright is what this run sets; what is left at its default is dim."
    yield Section("config", "Config", says, content=lines(facts.settings))


def origin(facts: Facts) -> Iterator[Section]:
    """Yields versions, machine and components, where the run has it."""
    tables = []
    if environment := facts.file(facts.run.environment.name):
        rows = [[key, str(value)] for key, value in environment.items() if key != "packages"]
        rows += [[name, version] for name, version in environment.get("packages", {}).items()]
        tables.append(("Environment", Table(["what", "found"], rows, "Versions and machine", texts=(0, 1))))
    if plugins := facts.file(facts.run.plugins.name):
        rows = [
            [
                part["kind"],
                part["name"],
                f"{part['module']}:{part['qualified']}",
                _package(part),
                str(part["sha256"])[:12],
            ]
            for part in plugins
        ]
        heads = ["kind", "name", "class", "from", "sha256 of the source"]
        tables.append(("Components", Table(heads, rows, "Where each component came from", texts=tuple(range(5)))))
    if tables:
        yield Section("origin", "Made with", tables=tables)


def _package(part: Mapping[str, Any]) -> str:
    return f"{part['package']} {part['version']}" if part.get("package") else str(part.get("file"))
