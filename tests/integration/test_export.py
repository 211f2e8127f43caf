"""What `textseq export` writes, asked in a clean process by the loader that TensorFlow Serving uses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textseq.cli import main
from textseq.errors import RunFailedError
from textseq.export.session import Session

STRANGE = [
    *(
        b"an old cat",
        b"the new drill is here",
        b"",
        b" ",
        b"\x00",
        b"a\x00cat",
        b"\xff\xfe",
        b"caf\xe9 cat",
        b"\xed\xa0\x80",
    ),
    *("猫と犬".encode(), "🙂 cat 👩\u200d👩\u200d👧".encode(), "\uff23\uff21\uff34 ½".encode(), b"cat " * 262_144),
]


def read(texts: list[bytes]) -> list[str]:
    return [text.decode("utf-8", "replace") for text in texts]


def details(version: Path) -> Any:
    return json.loads((version / "assets.extra" / "textseq.json").read_text())


def predictions(run: Path, texts: list[Any]) -> list[dict[str, Any]]:
    from textseq.evaluation.loading import load_run
    from textseq.evaluation.prediction import predict

    return list(predict(load_run(run), texts))


def assert_alike(served: dict[str, np.ndarray], wanted: list[dict[str, Any]]) -> None:
    """Asserts that the probabilities of an export's answers are those of predictions."""
    probabilities = [[answer["probabilities"][name.decode()] for name in served["labels"][0]] for answer in wanted]
    np.testing.assert_allclose(served["probabilities"], probabilities, atol=1e-5)


@pytest.fixture(scope="module")
def classified(exported_classifier: Path) -> dict[str, dict[str, np.ndarray]]:
    """The answers of every signature of the classifier, from one process."""
    import tensorflow as tf

    session = Session(exported_classifier / "1")
    examples = [tf.train.Example() for _ in STRANGE]
    for example, text in zip(examples, STRANGE, strict=True):
        example.features.feature["text"].bytes_list.value.append(text)
    asked = {
        name: session.ask(name, {"text": STRANGE}) for name in ("serving_default", "predict", "token_ids", "embed")
    }
    asked["classify"] = session.ask("classify", {"inputs": [example.SerializeToString() for example in examples]})
    asked["nothing"] = session.ask("serving_default", {"text": []})
    asked["one"] = session.ask("serving_default", {"text": STRANGE[:1]})
    answers = session.run()
    return {name: answers[number] for name, number in asked.items()}


def test_served_predictions_are_those_of_predict(classified: Any, classifier_run: Path) -> None:
    wanted = predictions(classifier_run, read(STRANGE))
    served = classified["serving_default"]
    assert [label.decode() for label in served["label"]] == [answer["label"] for answer in wanted]
    assert len({answer["label"] for answer in wanted}) == 2
    assert_alike(served, wanted)
    np.testing.assert_array_equal(classified["predict"]["label"], served["label"])


def test_a_row_alone_and_no_rows_at_all_are_answered(classified: Any) -> None:
    together = classified["serving_default"]["probabilities"][:1]
    np.testing.assert_allclose(classified["one"]["probabilities"], together, atol=1e-6)
    assert {name: value.shape for name, value in classified["nothing"].items()} == {
        "label": (0,),
        "labels": (0, 2),
        "probabilities": (0, 2),
    }


def test_classify_reads_examples_and_gives_the_same_numbers(classified: Any) -> None:
    served = classified["serving_default"]
    np.testing.assert_array_equal(classified["classify"]["classes"], served["labels"])
    np.testing.assert_allclose(classified["classify"]["scores"], served["probabilities"], atol=1e-6)


def test_tokens_are_the_tokenizers_and_an_empty_text_is_one_unknown(classified: Any, classifier_run: Path) -> None:
    from textseq.evaluation.loading import load_run

    found, lengths = classified["token_ids"]["token_ids"], classified["token_ids"]["length"]
    for row, length, ids in zip(found, lengths, load_run(classifier_run).tokenizer.encode(read(STRANGE)), strict=True):
        assert row[:length].tolist() == (list(ids)[:64] or [1])
        assert not row[length:].any()
    assert lengths[-1] == 64  # a megabyte, cut to task.max_length


def test_embeddings_are_what_the_classes_are_read_from(classified: Any, classifier_run: Path) -> None:
    from textseq.evaluation.loading import load_run

    kernel, bias = load_run(classifier_run).model.logits.get_weights()
    logits = classified["embed"]["embedding"] @ kernel + bias
    powers = np.exp(logits)
    wanted = classified["serving_default"]["probabilities"]
    np.testing.assert_allclose(powers / powers.sum(1, keepdims=True), wanted, atol=1e-5)


def test_what_ngrams_give_is_served_too(train: Any, topics_config: Path, tmp_path: Path) -> None:
    from textseq.export.exporter import export

    run = train(topics_config, tmp_path / "run", "task.ngrams=2", "task.max_length=64")
    export(run, tmp_path / "out")
    session = Session(tmp_path / "out" / "1")
    session.ask("serving_default", {"text": STRANGE})
    assert_alike(session.run()[0], predictions(run, read(STRANGE)))


def test_an_export_says_what_it_is(exported_classifier: Path, classifier_run: Path) -> None:
    version = exported_classifier / "1"
    assert sorted(item.name for item in exported_classifier.iterdir()) == ["1"]
    said = details(version)
    assert said["format_version"] == 1
    assert said["labels"] == {"names": ["animal", "tool"], "multi": False}
    assert said["plugins"] == json.loads((classifier_run / "plugins.json").read_text())
    assert said["scores"]["test"]["accuracy"] == said["gate"]["held_out_accuracy"]
    assert (said["gate"]["held_out"], said["gate"]["adversarial"], said["gate"]["split"]) == (100, 300, "test")
    assert said["serving"]["oldest_tensorflow_serving"] == "2.12"
    assert "SentencepieceOp" in said["serving"]["foreign_ops"]
    for signature in said["signatures"].values():
        assert signature["doc"]
        assert all(item["doc"] for item in signature["inputs"].values())
        assert all(signature["outputs"].values())
    extras = {item.name for item in (version / "assets.extra").iterdir()}
    assert extras == {"textseq.json", "tf_serving_warmup_requests", "batching_parameters.txt"}


def test_the_command_makes_the_next_version_in_a_process_of_its_own(
    exported_classifier: Path,
    classifier_run: Path,
    classified: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(exported_classifier / "1", tmp_path / "out" / "7")
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["export", str(classifier_run), str(tmp_path / "out"), "--calibrate", "--json"])
    captured = capfd.readouterr()
    assert ended.value.code == 0, captured.err
    said = json.loads(captured.out)
    assert (said["version"], Path(said["path"])) == (8, tmp_path / "out" / "8")
    assert said["temperature"] != 1.0
    session = Session(tmp_path / "out" / "8")
    session.ask("serving_default", {"text": STRANGE})
    plain, (calibrated,) = classified["serving_default"], session.run()
    np.testing.assert_array_equal(plain["label"], calibrated["label"])
    powers = plain["probabilities"].astype(float) ** (1 / said["temperature"])
    np.testing.assert_allclose(calibrated["probabilities"], powers / powers.sum(1, keepdims=True), atol=1e-5)


def test_another_tokenizer_in_the_run_directory_is_noticed(
    classifier_run: Path, topics_config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from textseq.data.tokenizers.base import load_tokenizer
    from textseq.data.tokenizers.sentencepiece import SentencePieceTokenizer

    run = tmp_path / "run"
    shutil.copytree(classifier_run, run)
    size = load_tokenizer(run / "tokenizer").vocabulary_size
    other = SentencePieceTokenizer(size)
    lines = (topics_config.parent / "train.jsonl").read_text().splitlines()
    other.fit([json.loads(line)["text"][::-1] for line in lines])  # of as many pieces, none of them a word
    assert other.vocabulary_size == size  # else the weights' shape would tell
    shutil.rmtree(run / "tokenizer")
    other.save(run / "tokenizer")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(run), str(tmp_path / "out"), "--in-this-process"])
    captured = capfd.readouterr()
    assert ended.value.code == 1
    assert "in training it was on" in captured.err
    assert not (tmp_path / "out").exists()


def test_a_graph_with_another_tokenizer_is_refused(
    classifier_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textseq.data.tokenizers.sentencepiece import SentencePieceTokenizer
    from textseq.export import exporter

    real = SentencePieceTokenizer.graph_encoder

    def one_off(self: Any) -> Any:
        encode = real(self)
        return lambda texts: encode(texts) - 1

    monkeypatch.setattr(SentencePieceTokenizer, "graph_encoder", one_off)
    with pytest.raises(RunFailedError, match=r"the token ids of the exported model differ.*at the text '") as refused:
        exporter.export(classifier_run, tmp_path / "out")
    assert refused.value.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_a_little_off_is_refused(
    classifier_run: Path, exported_classifier: Path, tmp_path: Path
) -> None:
    from textseq.evaluation.loading import load_run
    from textseq.export import gate
    from textseq.export.exporter import _endpoints
    from textseq.export.held_out import checked_texts

    run = load_run(classifier_run)
    endpoints = _endpoints(run, 1.0, lambda table: None)
    texts = checked_texts(run)
    few = replace(texts, texts=texts.texts[:40], held_out=0, split=None, targets=None)
    report, _ = gate.check(exported_classifier / "1", run, endpoints, few)
    assert report["largest_probability_difference"] < 1e-5
    bias = run.model.logits.bias
    bias.assign(np.asarray(bias) + np.array([0.0, 1e-3], np.float32))
    with pytest.raises(RunFailedError, match=r"the probabilities of the exported model differ"):
        gate.check(exported_classifier / "1", run, endpoints, few)


def test_export_refuses_what_is_no_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path), str(tmp_path / "out"), "--in-this-process"])
    assert ended.value.code == 2
    assert "is no run directory" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
