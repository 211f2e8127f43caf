"""Whatever stands in a config file, the loader returns a config or names what is wrong, never anything else."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textseq.config import RunConfig, load_config
from textseq.errors import ConfigError

SOUND: dict[str, Any] = {
    "name": "a",
    "data": {"path": "owner/name", "text": "text", "label": "label"},
    "tokenizer": {"name": "sentencepiece", "vocabulary_size": 100},
    "encoder": {"name": "lstm", "units": 8, "depth": 2},
    "task": {"name": "classification", "pooling": "max"},
    "training": {"epochs": 2, "batch_size": 4, "learning_rate": 0.01, "optimizer": {"name": "adamw"}},
}
SECTIONS = ("data", "tokenizer", "encoder", "task", "training")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**6),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(string.printable, max_size=12),
    st.sampled_from(["lstm", "classification", "words", "adam", "cosine", "text", "null", "1e-3", "lsmt"]),
)
keys = st.one_of(
    st.text(string.ascii_lowercase + "_", min_size=1, max_size=10),
    st.sampled_from(["name", "units", "depth", "path", "epochs", "pooling", "optimizer", "splits", "extends", *SOUND]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=8,
)
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def load(folder: Path, config: Any) -> RunConfig:
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return load_config(path)


def outcome(folder: Path, config: Any) -> RunConfig | str:
    try:
        return load(folder, config)
    except ConfigError as error:
        return str(error)


@many
@given(config=values)
def test_anything_is_a_config_or_a_sentence(config: Any, tmp_path: Path) -> None:
    found = outcome(tmp_path, config)
    assert isinstance(found, RunConfig) or "config.yaml" in found


@many
@given(section=st.sampled_from(SECTIONS), key=keys, value=values)
def test_one_setting_changed_is_a_config_or_a_sentence_about_it(
    section: str, key: str, value: Any, tmp_path: Path
) -> None:
    config = {**SOUND, section: {**SOUND[section], key: value}}
    found = outcome(tmp_path, config)
    if isinstance(found, str):
        assert f"{section}" in found
        assert "config.yaml:" in found


@many
@given(section=st.sampled_from(SECTIONS), value=values)
def test_one_section_replaced_is_a_config_or_a_sentence(section: str, value: Any, tmp_path: Path) -> None:
    found = outcome(tmp_path, {**SOUND, section: value})
    assert isinstance(found, RunConfig) or section in found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    epochs=st.integers(1, 1000),
    rate=st.floats(1e-6, 1.0),
    units=st.integers(1, 500),
    dropout=st.floats(0.0, 0.99),
    seed=st.integers(0, 2**31),
    name=st.text(string.ascii_letters + string.digits + " -_:#", min_size=1, max_size=20),
)
def test_what_is_resolved_reads_back_as_itself(
    epochs: int, rate: float, units: int, dropout: float, seed: int, name: str, tmp_path: Path
) -> None:
    config = {
        **SOUND,
        "name": name,
        "seed": seed,
        "encoder": {"name": "gru", "units": units, "dropout": dropout},
        "training": {"epochs": epochs, "learning_rate": rate, "schedule": {"name": "cosine", "warmup": 0.1}},
    }
    first = load(tmp_path, config)
    again = tmp_path / "resolved.yaml"
    again.write_text(first.to_yaml(), encoding="utf-8")
    assert load_config(again).to_dict() == first.to_dict()
    assert (first.name, first.seed, first.training.epochs, first.training.learning_rate) == (name, seed, epochs, rate)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wrong=st.lists(st.sampled_from(SECTIONS), min_size=1, max_size=5, unique=True))
def test_every_misspelt_key_is_named_in_one_go_with_its_line(wrong: list[str], tmp_path: Path) -> None:
    lines, expected = [], []
    for name, value in SOUND.items():
        lines.append(f"{name}:")
        if not isinstance(value, dict):
            lines[-1] += f" {value}"
            continue
        lines += [f"  {key}: {json.dumps(item)}" for key, item in value.items()]
        if name in wrong:
            lines.append("  nonsense: 1")
            expected.append((len(lines), f"{name}.nonsense"))
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        load_config(path)
    told = str(found.value)
    for line, setting in expected:
        assert f"config.yaml:{line}: {setting}" in told
    assert told.count("nonsense") == len(expected)


def test_a_config_does_not_change_once_it_is_loaded(tmp_path: Path) -> None:
    config = load(tmp_path, SOUND)
    with pytest.raises(AttributeError, match="cannot assign"):
        config.seed = 3  # type: ignore[misc]


def test_what_extends_lays_its_settings_over_those_it_extends(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(json.dumps(SOUND))
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\nseed: 7\nencoder: {units: 16}\ntokenizer: {name: bytes}\n")
    config = load_config(child, ["training.epochs=9", "training.optimizer.weight_decay=0.5"])
    assert (config.seed, config.training.epochs) == (7, 9)
    assert dict(config.encoder.arguments) == {"units": 16, "depth": 2}  # the same encoder: merged
    assert dict(config.tokenizer.arguments) == {}  # another tokenizer: replaced
    assert config.training.optimizer.arguments["weight_decay"] == 0.5


def test_numbers_and_words_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({**SOUND, "name": "no"}).replace("0.01", "1e-2"))
    config = load_config(path)
    assert config.training.learning_rate == 0.01
    assert config.name == "no"
