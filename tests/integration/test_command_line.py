"""The main job through the command line: for the encoders of the design, and in real processes for one of a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main
from textseq.registry import encoders

CHIEF = ("rnn", "gru", "lstm", "transformer")
# The contract and the probes look at every encoder in each run of the tests; that all of them learn takes long.
NAMES = [name if name in CHIEF else pytest.param(name, marks=pytest.mark.slow) for name in encoders.names()]
OWN_ENCODER = '''
import keras
from keras import ops

from textseq.encoder import Encoder
from textseq.registry import encoders


@encoders.register("shifted")
class Shifted(Encoder):
    """Each step and the one before it.

    Args:
        units: Width of the outputs.
        causal: Both ways of it are causal.
        depth: Taken and not used.
    """

    def __init__(self, units: int, *, causal: bool = False, depth: int = 1, **kwargs) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.dense = keras.layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        self.features = input_shape[-1]
        self.dense.build((*input_shape[:-1], 2 * input_shape[-1]))

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        state = self.get_initial_state(ops.shape(inputs)[0]) if initial_state is None else initial_state
        before = ops.concatenate([state[:, None], inputs[:, :-1]], 1)
        outputs = self.dense(ops.concatenate([before, inputs], -1))
        return (outputs, inputs[:, -1]) if return_state else outputs

    def get_initial_state(self, batch_size):
        return ops.zeros((batch_size, self.features), "float32")
'''


def textseq(*arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "textseq", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    return done


def trained(config: Path, run: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    done = textseq(
        "train", str(config), "--run-dir", str(run), "--json", "--quiet", "--no-report", *arguments, **environment
    )
    return json.loads(done.stdout)


def test_the_registry_holds_what_the_design_names() -> None:
    assert set(CHIEF) <= set(encoders.names())


@pytest.mark.parametrize("name", NAMES)
def test_each_encoder_learns_to_classify_without_any_other_change(
    name: str, topics_config: Path, tmp_path: Path, train: Any
) -> None:
    run = train(topics_config, tmp_path / "run", f"encoder.name={name}")
    scores = json.loads((run / "scores.json").read_text())
    assert scores["test"]["accuracy"] >= 0.9  # one word decides; always the commonest class scores 0.5
    assert scores["test"]["rows"] == 100


@pytest.fixture(scope="module")
def lstm_writer(story_config: Path, train: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(story_config, tmp_path_factory.mktemp("writers") / "lstm")


@pytest.mark.parametrize("name", NAMES)
def test_each_encoder_learns_to_model_text_without_any_other_change(
    name: str, story_config: Path, tmp_path: Path, train: Any, lstm_writer: Path
) -> None:
    more = (f"encoder.name={name}", "training.epochs=6")
    run = lstm_writer if name == "lstm" else train(story_config, tmp_path / "run", *more)
    scores = json.loads((run / "scores.json").read_text())
    assert scores["test"]["bits_per_byte"] < 2.0  # uniform over the alphabet used takes about 4
    assert scores["test"]["tokens"] == scores["test"]["bytes"] + 20  # every byte, and the end of each row


def test_an_encoder_from_a_file_trains_predicts_and_generates(
    topics_config: Path, story_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "shifted.py"
    plugin.write_text(OWN_ENCODER)
    own = ("--plugin", str(plugin), "--set", "encoder.name=shifted")
    assert trained(topics_config, tmp_path / "a", *own)["test"]["accuracy"] >= 0.9
    trained(story_config, tmp_path / "b", *own, "--set", "training.epochs=2")
    text = json.loads(
        textseq("generate", str(tmp_path / "b"), "--prompt", "the", "--plugin", str(plugin), "--json").stdout
    )
    assert text["text"]
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tmp_path / "a"), "a cat"])  # this process does not know the encoder
    copy = tmp_path / "a" / "plugins" / "shifted.py"
    assert ended.value.code == 2
    assert f"Pass the copy that the run carries: --plugin {copy}." in capsys.readouterr().err
    again = textseq("predict", str(tmp_path / "a"), "a cat", "--plugin", str(copy), "--json")
    assert json.loads(again.stdout)["label"] == "animal"
    assert "its source is another" not in again.stderr


def test_a_run_is_evaluated_and_asked_and_says_the_same_each_time(
    classifier_run: Path, ask: Any, tmp_path: Path
) -> None:
    first = json.loads((classifier_run / "scores.json").read_text())
    again = json.loads(textseq("evaluate", str(classifier_run), "--json").stdout)
    assert again["accuracy"] == first["test"]["accuracy"]
    assert again["loss"] == pytest.approx(first["test"]["loss"], rel=1e-5)
    source = tmp_path / "texts.txt"
    texts = ["the old cat is here", "", "we saw a red drill", "猫 🐈", "hammer " * 3000]
    source.write_text("\n".join(texts) + "\n")
    answers = [json.loads(line) for line in ask("predict", classifier_run, "--input", source, "--json").splitlines()]
    assert [answer["text"] for answer in answers] == texts
    assert answers[0]["label"] == "animal"
    assert answers[2]["label"] == "tool"
    for answer in answers:
        assert sum(answer["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    alone = json.loads(ask("predict", classifier_run, texts[0], "--json"))
    assert alone["probabilities"]["animal"] == pytest.approx(answers[0]["probabilities"]["animal"], abs=1e-6)


def test_text_is_generated_again_with_the_same_seed(lstm_writer: Path, ask: Any) -> None:
    greedy = ask("generate", lstm_writer, "--prompt", "the cat s", "--temperature", 0, "--max-tokens", 12, "--json")
    assert json.loads(greedy)["text"].startswith("at on the m")
    first, second, other = (
        json.loads(ask("generate", lstm_writer, "--prompt", "the", "--seed", seed, "--json"))["text"]
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


def test_the_same_config_twice_gives_the_same_metrics_file(topics_config: Path, train: Any, tmp_path: Path) -> None:
    settings = ("encoder.dropout=0.3", "training.ema=0.9")
    first, second = (
        (train(topics_config, tmp_path / name, *settings) / "metrics.jsonl").read_bytes() for name in ("a", "b")
    )
    assert first == second
    assert first.count(b"\n") >= 3


def test_pairs_of_texts_are_classified(topics_config: Path, train: Any, ask: Any, tmp_path: Path) -> None:
    run = train(topics_config, tmp_path / "run", "data.text_pair=other")
    assert json.loads((run / "scores.json").read_text())["test"]["accuracy"] >= 0.9
    answer = json.loads(ask("predict", run, "a cat\tthe dog", "--json"))
    assert (answer["text"], answer["text_pair"], answer["label"]) == ("a cat", "the dog", "animal")


def test_the_linear_baseline_knows_single_words(topics_config: Path, ask: Any) -> None:
    assert json.loads(ask("baseline", topics_config, "--json"))["accuracy"] >= 0.95
