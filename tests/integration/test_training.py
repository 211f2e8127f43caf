"""What the training section of a config does, through the command line, in this process."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textseq.cli import main

COUNTER = """
import keras

class Counter(keras.callbacks.Callback):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        with open(self.path, "a") as file:
            file.write(f"{epoch} {sorted(logs)}\\n")
"""


class Shell:
    """Runs commands and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.errors = ""

    def __call__(self, *arguments: object, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        self.errors = captured.err
        assert ended.value.code == code, captured.err
        return captured.out

    def train(self, config: Path, run: Path, *settings: str, code: int = 0) -> Any:
        more = [part for setting in settings for part in ("--set", setting)]
        out = self("train", config, "--run-dir", run, "--quiet", "--json", "--no-report", *more, code=code)
        return json.loads(out) if code == 0 else None


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_everything_a_run_should_leave_is_there(topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    run = tmp_path / "run"
    scores = shell.train(topics_config, run, "training.tensorboard=true", "training.log_every=5")
    names = {path.name for path in run.iterdir()}
    wanted = {"config.yaml", "resolved.yaml", "plugins.json", "environment.json", "tokenizer", "labels.json"}
    wanted |= {"model.weights.h5", "metrics.jsonl", "scores.json", "audit.json", "epochs.csv", "tensorboard"}
    assert wanted <= names
    assert not [name for name in names if name.startswith(".")]
    assert (run / "config.yaml").read_text() == topics_config.read_text()
    assert list((run / "tensorboard").rglob("events.out.tfevents.*"))
    metrics = lines(run / "metrics.jsonl")
    assert [line["epoch"] for line in metrics if "epoch" in line] == [1, 2, 3]
    assert [line["step"] for line in metrics if "epoch" not in line] == [5, 10, 15, 20, 25, 30, 35]
    with (run / "epochs.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3
    assert json.loads((run / "scores.json").read_text())["test"]["accuracy"] == scores["test"]["accuracy"]
    (encoder,) = [part for part in json.loads((run / "plugins.json").read_text()) if part["kind"] == "encoder"]
    assert (encoder["name"], encoder["module"], len(encoder["sha256"])) == ("lstm", "textseq_plugins.lstm", 64)


def test_a_users_callback_hears_the_scores(
    topics_config: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counter.py").write_text(COUNTER)
    monkeypatch.syspath_prepend(str(tmp_path))
    callback = f"training.callbacks=[{{name: 'counter:Counter', path: {tmp_path / 'heard'}}}]"
    shell.train(topics_config, tmp_path / "run", callback, "training.epochs=2")
    heard = (tmp_path / "heard").read_text().splitlines()
    assert len(heard) == 2
    assert "val_accuracy" in heard[0]


def test_early_stopping_waits_for_its_patience(topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    settings = ("training.early_stopping=2", "training.learning_rate=1e-12", "training.epochs=9")
    scores = shell.train(topics_config, tmp_path / "run", *settings)
    epochs = [line for line in lines(tmp_path / "run" / "metrics.jsonl") if "epoch" in line]
    assert len(epochs) == 3  # nothing is learned: the first is the best, then two without gain
    assert scores["training"]["best_epoch"] == 1


def test_the_best_epochs_weights_are_kept_unless_the_last_are_asked_for(
    topics_config: Path, tmp_path: Path, shell: Shell
) -> None:
    worse = ("training.learning_rate=1e-12", "training.epochs=2")
    best = shell.train(topics_config, tmp_path / "best", *worse)
    last = shell.train(topics_config, tmp_path / "last", *worse, "training.keep=last")
    assert (best["training"]["best_epoch"], best["training"]["kept_epoch"]) == (1, 1)
    assert (last["training"]["best_epoch"], last["training"]["kept_epoch"]) == (1, 2)


def test_another_score_can_decide(topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    shell.train(topics_config, tmp_path / "run", "training.monitor=loss")
    epochs = [line for line in lines(tmp_path / "run" / "metrics.jsonl") if "epoch" in line]
    best = min(epochs, key=lambda line: line["val_loss"])["epoch"]
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["training"]["best_epoch"] == best


def test_a_run_that_diverges_ends_with_advice(topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    settings = ("training.learning_rate=1e45", "training.clip_norm=null", "training.optimizer=sgd")
    shell.train(topics_config, tmp_path / "run", *settings, code=1)
    assert "the loss is no longer a number" in shell.errors  # in float32 the rate is infinite, also after its halvings
    assert "Lower training.learning_rate" in shell.errors


@pytest.mark.parametrize("encoder", ["lstm", pytest.param("transformer", marks=pytest.mark.slow)])
def test_half_precision_learns_too(encoder: str, topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    settings = ("training.precision=mixed_bfloat16", f"encoder.name={encoder}")
    assert shell.train(topics_config, tmp_path / "run", *settings)["test"]["accuracy"] >= 0.9
    assert json.loads(shell("predict", tmp_path / "run", "a cat", "--json"))["label"] == "animal"


@pytest.mark.parametrize(
    "pooling", ["attention", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("last", "mean", "max"))]
)
def test_every_pooling_learns(pooling: str, topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    assert shell.train(topics_config, tmp_path / "run", f"task.pooling={pooling}")["test"]["accuracy"] >= 0.9


@pytest.mark.parametrize(
    "tokenizer",
    [pytest.param("bytes", marks=pytest.mark.slow), "{name: sentencepiece, vocabulary_size: 320, sampling: 0.2}"],
)
def test_other_tokenizers_learn(tokenizer: str, topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    settings = (f"tokenizer={tokenizer}", "training.epochs=8")
    assert shell.train(topics_config, tmp_path / "run", *settings)["test"]["accuracy"] >= 0.9


def test_accumulation_averaging_and_smoothing_go_together(topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    settings = ("training.accumulate=2", "training.batch_size=16", "training.ema=0.8", "task.label_smoothing=0.1")
    more = (
        "training.schedule={name: cosine, warmup: 0.1}",
        "task.class_weights=balanced",
        "embedding.word_dropout=0.1",
    )
    assert shell.train(topics_config, tmp_path / "run", *settings, *more)["test"]["accuracy"] >= 0.9


def test_several_labels_a_row_are_learned_scored_and_predicted(tmp_path: Path, shell: Shell) -> None:
    generator = np.random.default_rng(0)
    for split, rows in (("train", 600), ("test", 100)):
        with (tmp_path / f"{split}.jsonl").open("w") as file:
            for _ in range(rows):
                cat, saw = (int(value) for value in generator.integers(0, 2, 2))
                words = ["the", *["cat"] * cat, "is", *["saw"] * saw, "here"]
                row = {"text": " ".join(words), "animal": cat, "tool": bool(saw)}
                row["labels"] = ["animal"] * cat + ["tool"] * saw
                file.write(json.dumps(row) + "\n")
    for name, label in (("columns", "[animal, tool]"), ("lists", "labels")):
        config = tmp_path / f"{name}.yaml"
        files = "{train: train.jsonl, test: test.jsonl}"
        config.write_text(
            f"name: {name}\ndata: {{path: json, data_files: {files}, label: {label}}}\n"
            "tokenizer: words\nencoder: {name: gru, units: 16}\ntask: classification\n"
            "training: {epochs: 6, batch_size: 32, learning_rate: 2e-2}\n"
        )
        scores = shell.train(config, tmp_path / name)["test"]
        assert scores["accuracy"] >= 0.95
        assert scores["micro_f1"] >= 0.95
        answers = shell("predict", tmp_path / name, "the cat is saw here", "the is here", "--json").splitlines()
        found = [json.loads(answer) for answer in answers]
        assert [answer["labels"] for answer in found] == [["animal", "tool"], []]


def test_an_adaptive_softmax_learns_and_writes(story_config: Path, tmp_path: Path, shell: Shell) -> None:
    settings = ("tokenizer=words", "task.softmax=adaptive", "task.cutoffs=[6, 9]")
    scores = shell.train(story_config, tmp_path / "run", *settings)["test"]
    assert scores["perplexity"] < 3.0  # ten words, of which the sentence leaves one or two
    greedy = shell("generate", tmp_path / "run", "--prompt", "the cat", "--temperature", 0, "--max-tokens", 4)
    assert greedy.strip() == "the cat sat on the mat"


def test_a_dry_run_writes_nothing(
    topics_config: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell("train", topics_config, "--dry-run")
    assert "Nothing written" in shell.errors
    assert not list(tmp_path.iterdir())


def test_a_finished_run_is_replaced_only_when_asked(topics_config: Path, tmp_path: Path, shell: Shell) -> None:
    shell.train(topics_config, tmp_path / "run", "training.epochs=1")
    before = (tmp_path / "run" / "scores.json").read_bytes()
    shell.train(topics_config, tmp_path / "run", code=2)
    assert (tmp_path / "run" / "scores.json").read_bytes() == before
    shell(
        "train",
        topics_config,
        "--run-dir",
        tmp_path / "run",
        "--quiet",
        "--no-report",
        "--overwrite",
        "--set",
        "training.epochs=2",
    )
    assert len([line for line in lines(tmp_path / "run" / "metrics.jsonl") if "epoch" in line]) == 2


def test_an_epoch_counts_as_many_steps_as_it_has(topics_config: Path) -> None:
    """Asked for one batch more than there are, Keras's step fails, but counts itself first: the schedule runs ahead."""
    from textseq.config import load_config
    from textseq.training.trainer import build, prepare

    config = load_config(topics_config)
    ready = build(config, *prepare(config, lambda line: None))
    ready.model.fit(ready.feed.for_backend(), epochs=3, verbose=0, shuffle=False)
    assert int(ready.model.optimizer.iterations) == 3 * ready.feed.steps_per_epoch
