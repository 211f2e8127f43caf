"""predict, generate, evaluate, config, plugins and doctor, asked in this process of two small runs."""

from __future__ import annotations

import importlib.metadata
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textseq.cli import main
from textseq.config.json_schema import json_schema


@pytest.fixture(scope="module")
def classifier(topics_config: Path, train: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(topics_config, tmp_path_factory.mktemp("runs") / "classifier")


@pytest.fixture(scope="module")
def writer(writer_run: Path) -> Path:
    return writer_run


def test_a_pipe_is_labelled_line_by_line(classifier: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("an old cat\nthe new drill\n"))
    answers = [json.loads(line) for line in ask("predict", classifier, "--input", "-", "--json").splitlines()]
    assert [(answer["text"], answer["label"]) for answer in answers] == [
        ("an old cat", "animal"),
        ("the new drill", "tool"),
    ]


def test_json_lines_are_read_by_the_runs_column(classifier: Path, ask: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a horse", "id": 3}\n"the hammer"\n')
    answers = [
        json.loads(line)
        for line in ask("predict", classifier, "--input", tmp_path / "rows.jsonl", "--json").splitlines()
    ]
    assert [answer["label"] for answer in answers] == ["animal", "tool"]


def test_people_see_label_probability_and_text(classifier: Path, ask: Any) -> None:
    (line,) = ask("predict", classifier, "a cow\tand\nmore").splitlines()
    assert re.fullmatch(r"animal\t0\.\d{3}\ta cow and more|animal\t1\.000\ta cow and more", line)


def test_evaluation_tells_each_class_and_the_confusions(classifier: Path, ask: Any) -> None:
    found = json.loads(ask("evaluate", classifier, "--split", "validation", "--json"))
    matrix = np.array(found["confusion"]["matrix"])
    assert matrix.sum() == found["rows"] == 100
    assert found["accuracy"] == pytest.approx(np.trace(matrix) / 100)
    low, high = found["interval"]["accuracy"]
    assert low <= found["accuracy"] <= high
    assert set(found["per_class"]) == {"animal", "tool"}
    shown = ask("evaluate", classifier)
    for word in ("accuracy", "animal", "tool"):
        assert word in shown


def test_the_same_seed_writes_the_same_text(writer: Path, ask: Any) -> None:
    first, again, other = (ask("generate", writer, "--prompt", "the", "--seed", seed, "--json") for seed in (1, 1, 2))
    assert first == again
    assert json.loads(first)["text"] != json.loads(other)["text"]


def test_top_k_of_1_is_the_likeliest_token(writer: Path, ask: Any) -> None:
    greedy = ask("generate", writer, "--prompt", "the ", "--temperature", 0, "--max-tokens", 12)
    assert ask("generate", writer, "--prompt", "the ", "--top-k", 1, "--max-tokens", 12) == greedy
    assert ask("generate", writer, "--prompt", "the ", "--top-p", 1e-6, "--max-tokens", 12) == greedy


def test_a_token_costs_one_step_however_long_the_text(writer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textseq.evaluation import generation
    from textseq.evaluation.loading import load_run

    widths: list[int] = []
    real = generation._advance

    def counted(model: Any, token_ids: Any, state: Any) -> Any:
        return real(model, token_ids, state)

    def eager(model: Any, function: Any, name: str) -> Any:
        def call(ids: Any, state: Any) -> Any:
            widths.append(ids.shape[1])
            return function(ids, state)

        return call

    monkeypatch.setattr(generation, "_advance", counted)
    monkeypatch.setattr(generation, "inference", eager)
    tokens = list(generation.generate(load_run(writer), "the cat sat on the mat and the dog", max_tokens=30))
    assert tokens
    assert set(widths[2:]) == {1}  # the prompt of 35 bytes takes two pieces of 32
    assert widths[:2] == [32, 32]


def test_a_prompt_in_two_pieces_is_read_as_one(writer: Path) -> None:
    from textseq.evaluation import generation
    from textseq.evaluation.loading import load_run

    run = load_run(writer)
    prompt = "the dog ran to the door and the cat sat on"
    ids = np.asarray([2, *run.tokenizer.encode([prompt])[0]], np.int32)[None]
    _, whole = run.model.advance({"token_ids": ids}, run.model.encoder.get_initial_state(1))
    state = run.model.encoder.get_initial_state(1)
    for piece in generation._chunks(ids[0]):
        _, state = generation._advance(run.model, piece, state)
    import keras

    for one, other in zip(keras.tree.flatten(state), keras.tree.flatten(whole), strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other), atol=1e-5)


def test_config_show_fills_in_every_default(topics_config: Path, ask: Any) -> None:
    shown = json.loads(ask("config", "show", topics_config, "--set", "encoder.depth=3", "--json"))
    assert shown["encoder"]["depth"] == 3
    assert shown["encoder"]["forget_bias"] == "one"
    assert shown["training"]["clip_norm"] == 1.0
    assert "forget_bias: one" in ask("config", "show", topics_config)


def test_the_schema_knows_every_component_and_its_arguments(ask: Any) -> None:
    from textseq.registry import registries

    schema = json.loads(ask("config", "schema"))
    assert schema == json.loads(json.dumps(json_schema()))
    for kind, registry in registries.items():
        written = json.dumps(schema["properties"][kind])
        for name in registry.names():
            assert json.dumps(name) in written
            for argument in registry.arguments(name):
                assert json.dumps(argument.name) in written


def test_plugins_are_listed_and_shown(ask: Any) -> None:
    found = json.loads(ask("plugins", "list", "--json"))
    assert {entry["name"] for entry in found["encoder"]} >= {"rnn", "gru", "lstm", "transformer"}
    assert all(entry["summary"] for kind in found for entry in found[kind])
    shown = json.loads(ask("plugins", "show", "transformer", "--json"))
    assert {"heads", "context"} <= {argument["name"] for argument in shown["arguments"]}


def test_the_doctor_says_what_works(ask: Any) -> None:
    found = json.loads(ask("doctor", "--json"))
    checks = {check["what"]: check for check in found["checks"]}
    for name in ("keras", "tensorflow", "backend tensorflow", "datasets' cache", "encoders"):
        assert checks[name]["fine"], checks[name]


def test_the_doctor_does_without_extras_and_says_how_to_get_them(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"jax": "jax", "scikit-learn": "baseline", "tensorflow-serving-api": "serve", "uvicorn": "serve"}
    known = importlib.metadata.version

    def version(package: str) -> str:
        if package in extras:
            raise importlib.metadata.PackageNotFoundError(package)
        return known(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr("textseq.cli.doctor._backends", list)  # starting them is slow, and tested above
    found = json.loads(ask("doctor", "--json"))  # and ends well
    checks = {check["what"]: check for check in found["checks"]}
    for package, extra in extras.items():
        assert not checks[package]["fine"]
        assert not checks[package]["needed"]
        assert f"'textseq[{extra}]'" in checks[package]["found"]


def test_a_changed_plugin_is_noted_on_stderr(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(classifier, run)
    records = json.loads((run / "plugins.json").read_text())
    records[0]["sha256"] = "0" * 64
    (run / "plugins.json").write_text(json.dumps(records))
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(run), "a cat", "--json"])
    captured = capsys.readouterr()
    assert ended.value.code == 0
    assert "its source is another than when the run was made" in captured.err
    assert json.loads(captured.out)["label"] == "animal"
