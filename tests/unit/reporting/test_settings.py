"""Which settings a run changed, and how they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from textseq.config import load_config
from textseq.config.differences import flat
from textseq.errors import RunDirectoryError
from textseq.reporting.settings import lines, read_settings, written
from textseq.rundir import RunDirectory

CONFIG = """
name: small
data: {path: csv, data_files: a.csv, label: topic}
encoder: {name: lstm, units: 8, depth: 1}
task: {name: classification, dropout: 0.3}
embedding: {units: 16}
training: {learning_rate: 1e-3, schedule: {name: cosine, warmup: 0.1}, epochs: 7}
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "config.yaml").write_text(CONFIG)
    run = RunDirectory(tmp_path)
    run.write_text("resolved.yaml", load_config(tmp_path / "config.yaml").to_yaml())
    return read_settings(run)


def test_only_what_differs_from_its_default_stands_out(settings: dict[str, object]) -> None:
    found = lines(settings)
    section, changed = "", set()
    for line in found:
        section = line.name if line.depth == 0 else section
        if not line.default and (line.depth or line.value):
            changed.add(f"{section}.{line.name}" if line.depth else line.name)
    expected = {"name", "data.path", "data.data_files", "data.label", "encoder.name", "encoder.units", "task.name"}
    expected |= {"task.dropout", "embedding.units", "training.schedule", "training.epochs"}
    assert changed == expected  # depth 1 and a learning rate of 1e-3 were written, and are the defaults


def test_a_section_is_dim_where_all_in_it_is(settings: dict[str, object]) -> None:
    sections = {line.name: line.default for line in lines(settings) if not line.value and line.depth == 0}
    assert sections["tokenizer"]
    assert not sections["training"]


def test_a_component_that_is_not_here_has_no_known_defaults() -> None:
    (line, *_) = [line for line in lines({"encoder": {"name": "gone", "units": 3}}) if line.name == "units"]
    assert not line.default


def test_values_are_written_as_a_config_would() -> None:
    values = ["word", "", "a: b", 0.001, 1.0, None, True, [1, "b"], {"name": "cosine", "warmup": 0.1}]
    expected = ["word", '""', '"a: b"', "0.001", "1", "null", "true", "[1, b]", "{name: cosine, warmup: 0.1}"]
    assert [written(value) for value in values] == expected


def test_settings_have_dotted_paths() -> None:
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": {}}) == {"a.b": 1, "a.c.d": 2, "e": {}}


@pytest.mark.parametrize("text", ["a: [", "- 1"])
def test_a_damaged_config_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "resolved.yaml").write_text(text)
    with pytest.raises(RunDirectoryError, match=r"resolved\.yaml"):
        read_settings(RunDirectory(tmp_path))
