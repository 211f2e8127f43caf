"""Exports of every encoder, of runs trained elsewhere, of pairs and of several labels a row; each takes a while."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textseq.export.session import Session
from textseq.registry import encoders

pytestmark = pytest.mark.slow

SHIFTED = """
import keras
from keras import ops

from textseq.encoder import Encoder
from textseq.registry import encoders


@encoders.register("shifted")
class Shifted(Encoder):
    \"\"\"Each step and the one before it.

    Args:
        units: Width of the outputs.
        causal: Both ways of it are causal.
    \"\"\"

    def __init__(self, units: int, *, causal: bool = False, **kwargs) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.dense = keras.layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        self.dense.build((*input_shape[:-1], 2 * input_shape[-1]))

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        before = ops.concatenate([ops.zeros_like(inputs[:, :1]), inputs[:, :-1]], 1)
        return self.dense(ops.concatenate([before, inputs], -1))
"""


def textseq(*arguments: object, code: int = 0) -> str:
    """Runs a command in a process of its own."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "textseq", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == code, done.stderr
    return done.stdout


def answers(version: Path, texts: list[str], **more: list[str]) -> dict[str, np.ndarray]:
    session = Session(version)
    columns = {"text": texts, **more}
    session.ask("serving_default", {name: [text.encode() for text in column] for name, column in columns.items()})
    return session.run()[0]


def test_there_are_encoders_to_try() -> None:
    assert len(encoders.names()) >= 10


@pytest.mark.parametrize("encoder", encoders.names())
def test_every_encoder_classifies(encoder: str, topics_config: Path, tmp_path: Path, train: Any) -> None:
    from textseq.export.exporter import export

    run = train(
        topics_config, tmp_path / "run", f"encoder={{name: {encoder}, units: 16, depth: 2}}", "training.epochs=1"
    )
    made = export(run, tmp_path / "out")
    assert (made["gate"]["held_out"], made["gate"]["adversarial"]) == (100, 300)
    assert made["serving"]["foreign_ops"] == []


# One after the other, for a training and an export of each encoder with each tokenizer take a minute.
TOKENIZERS = ("bytes", "{name: sentencepiece, vocabulary_size: 290, normalization: identity}")


@pytest.mark.parametrize(
    ("encoder", "tokenizer"), list(zip(encoders.names(), itertools.cycle(TOKENIZERS), strict=False)), ids=str
)
def test_every_encoder_scores_and_steps(
    encoder: str, tokenizer: str, story_config: Path, tmp_path: Path, train: Any
) -> None:
    from textseq.evaluation.generation import generate_text
    from textseq.evaluation.loading import load_run
    from textseq.evaluation.sampling import Sampling
    from textseq.export.exporter import export

    more = ", context: 48" if encoder == "transformer" else ""  # fewer than the tokens below: the cache slides
    settings = (
        f"encoder={{name: {encoder}, units: 16, depth: 2{more}}}",
        f"tokenizer={tokenizer}",
        "training.epochs=2",
    )
    run = train(story_config, tmp_path / "run", *settings)
    made = export(run, tmp_path / "out")
    session, loaded = Session(tmp_path / "out" / "1"), load_run(run)
    text = "the cat sat on the mat and the dog ran to the door " * 8
    tokens = [int(token) for token in loaded.tokenizer.encode([text])[0]][:100]
    text = loaded.tokenizer.decode([tokens])[0]
    assert [int(token) for token in loaded.tokenizer.encode([text])[0]] == tokens
    score = session.ask("score", {"text": [text.encode()]})
    steps = [session.ask("initial_state", {"text": [b""]})]
    states = [name for name in made["signatures"]["step"]["inputs"] if name != "token_ids"]
    for token in tokens:
        state = {name: (steps[-1], name) for name in states}
        steps.append(session.ask("step", {"token_ids": np.array([token], np.int32), **state}))
    sampled = session.ask(
        "generate",
        {
            "text": [b"the cat"],
            "max_tokens": np.array([60], np.int32),
            "temperature": np.array([0.9], np.float32),
            "top_k": np.array([0], np.int32),
            "top_p": np.array([0.95], np.float32),
            "seed": np.array([7], np.int64),
        },
    )
    found = session.run()
    total = sum(found[n]["log_probabilities"][0, token] for n, token in zip(steps, [*tokens, 3], strict=True))
    assert total == pytest.approx(float(found[score]["log_likelihood"][0]), rel=1e-4)
    wanted = generate_text(loaded, "the cat", max_tokens=60, sampling=Sampling(temperature=0.9, top_p=0.95, seed=7))
    assert found[sampled]["text"][0].decode() == wanted


def test_a_run_trained_on_jax_is_exported_from_tensorflow(topics_config: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    textseq("train", topics_config, "--run-dir", tmp_path / "run", "--backend", "jax", "--quiet")
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["backend"] == "jax"
    made = json.loads(textseq("export", tmp_path / "run", tmp_path / "out", "--json"))
    assert made["trained_with"]["backend"] == "jax"
    assert made["exported_with"]["backend"] == "tensorflow"
    texts = ["an old cat", "the new drill", ""]
    lines = textseq("predict", tmp_path / "run", *texts, "--json", "--backend", "jax").splitlines()
    wanted = [json.loads(line)["probabilities"] for line in lines]
    served = answers(tmp_path / "out" / "1", texts)
    numbers = [[one[name.decode()] for name in served["labels"][0]] for one in wanted]
    np.testing.assert_allclose(served["probabilities"], numbers, atol=1e-5)


def test_an_export_needs_the_plugin_no_more(topics_config: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "shifted.py"
    plugin.write_text(SHIFTED)
    settings = ("--set", "encoder={name: shifted, units: 16}", "--plugin", plugin)
    textseq("train", topics_config, "--run-dir", tmp_path / "run", "--quiet", *settings)
    textseq("export", tmp_path / "run", tmp_path / "out", code=2)  # without --plugin nobody knows the encoder
    assert not (tmp_path / "out").exists()
    made = json.loads(textseq("export", tmp_path / "run", tmp_path / "out", "--json", "--plugin", plugin))
    (recorded,) = [part for part in made["plugins"] if part["kind"] == "encoder"]
    assert (recorded["name"], len(recorded["sha256"])) == ("shifted", 64)
    plugin.unlink()
    served = answers(tmp_path / "out" / "1", ["an old cat", "the new drill"])
    assert served["label"].tolist() == [b"animal", b"tool"]


def test_an_encoder_without_a_state_only_scores(story_config: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "shifted.py"
    plugin.write_text(SHIFTED)
    settings = ("--set", "encoder={name: shifted, units: 16}", "--set", "task.carry_state=false", "--plugin", plugin)
    textseq("train", story_config, "--run-dir", tmp_path / "run", "--quiet", "--set", "training.epochs=1", *settings)
    made = json.loads(textseq("export", tmp_path / "run", tmp_path / "out", "--json", "--plugin", plugin))
    assert sorted(made["signatures"]) == ["score", "serving_default", "token_ids"]


def test_pairs_with_several_labels_are_checked_on_a_thousand_texts(tmp_path: Path, train: Any) -> None:
    from textseq.evaluation.loading import load_run
    from textseq.evaluation.prediction import predict
    from textseq.export.exporter import export

    generator = random.Random(0)
    words = ["cat", "saw", "the", "Straße", "is", "日本", "here", "naïve", "🙂"]
    for split, rows in (("train", 800), ("test", 1500)):
        with (tmp_path / f"{split}.jsonl").open("w") as file:
            for _ in range(rows):
                first, second = (" ".join(generator.choices(words, k=generator.randint(0, 9))) for _ in range(2))
                labels = ["animal"] * ("cat" in first) + ["tool"] * ("saw" in second)
                file.write(json.dumps({"text": first, "other": second, "labels": labels}) + "\n")
    (tmp_path / "both.yaml").write_text(
        "name: both\ndata: {path: json, data_files: {train: train.jsonl, test: test.jsonl}, label: labels, "
        "text_pair: other}\ntokenizer: {name: words, lowercase: true}\nencoder: {name: gru, units: 16}\n"
        "task: {name: classification, max_length: 12, truncate: middle, threshold: 0.4}\n"
        "training: {epochs: 4, batch_size: 32, learning_rate: 2e-2}\n"
    )
    run = train(tmp_path / "both.yaml", tmp_path / "run")
    made = export(run, tmp_path / "out")
    assert (made["gate"]["held_out"], made["gate"]["adversarial"]) == (1000, 300)
    assert made["labels"]["multi"] is True
    pairs = [("the cat", "saw is"), ("", "saw"), ("cat", ""), ("", "")]
    served = answers(tmp_path / "out" / "1", [pair[0] for pair in pairs], text_pair=[pair[1] for pair in pairs])
    wanted = list(predict(load_run(run), pairs))
    for row, answer in enumerate(wanted):
        chosen = [
            name.decode() for name, yes in zip(served["labels"][row], served["predicted"][row], strict=True) if yes
        ]
        assert chosen == answer["labels"]
    assert [answer["labels"] for answer in wanted] == [["animal", "tool"], ["tool"], ["animal"], []]
