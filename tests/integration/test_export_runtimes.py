"""A classifier in other runtimes: each loads it without TensorFlow and answers as the SavedModel, of texts or ids."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textseq.errors import RunFailedError, UsageError
from textseq.export.runtimes.formats import FORMATS
from textseq.export.session import Session

# Of several lengths, so that rows are padded; NUL, which bindings cut texts at, is left out.
MIXED = ["an old cat", "the new drill is here and there we saw a hammer", "", " ", "猫と犬 🙂", "\ufffd", "cat " * 500]


BESIDE: dict[str, set[str]] = {"onnx": set(), "openvino": {"model.bin"}, "tflite": {"tokenizer"}}


def needs(name: str) -> Any:
    """Returns the format; skips where its packages are absent."""
    for package in FORMATS[name].packages:
        pytest.importorskip(package, reason=f"textseq[{name}] is not installed")
    return FORMATS[name]


@pytest.fixture(scope="module")
def run(classifier_run: Path) -> Any:
    from textseq.evaluation.loading import load_run

    return load_run(classifier_run)


@pytest.fixture(scope="module")
def texts(run: Any) -> Any:
    from textseq.export.held_out import checked_texts

    return checked_texts(run)


@pytest.fixture(scope="module", params=list(FORMATS))
def item(request: pytest.FixtureRequest) -> Any:
    return needs(request.param)


@pytest.fixture(scope="module")
def onnx() -> Any:
    return needs("onnx")


@pytest.fixture(scope="module")
def converted(item: Any, run: Any, texts: Any, exported_classifier: Path) -> Any:
    """A format and what was made, beside the session's export."""
    from textseq.export.runtimes.making import make

    return item, make(item, run, exported_classifier / "1", texts, temperature=1.0, int8=item.shrinks)


@pytest.fixture(scope="module")
def served(exported_classifier: Path) -> dict[str, np.ndarray]:
    session = Session(exported_classifier / "1")
    session.ask("serving_default", {"text": [text.encode() for text in MIXED]})
    return session.run()[0]


def alone_only(item: Any, made: Any, served: dict[str, np.ndarray], run: Any) -> None:
    """A client with the tokenizer beside the model and nothing else of the run."""
    from textseq.data.tokenizers.base import load_tokenizer
    from textseq.export.runtimes.process import call

    tokenizer = load_tokenizer(Path(made["path"]) / "tokenizer")
    about = json.loads((Path(made["path"]) / "textseq.json").read_text())
    ids = [list(map(int, row))[: about["max_length"]] or [1] for row in tokenizer.encode(MIXED)]
    request = {"model": f"{made['path']}/{item.model}", "blocks": [{"token_ids": [row]} for row in ids]}
    rows = [answer["probabilities"][0] for answer in call(item.name, "answer", request)["answers"]]
    np.testing.assert_allclose(rows, served["probabilities"], atol=1e-5)
    decided = [run.labels.names[place] for place in np.argmax(rows, axis=1)]
    assert decided == [label.decode() for label in served["label"]]


@pytest.mark.slow
def test_texts_of_many_lengths_are_answered_alike_together_and_alone(
    converted: Any, served: dict[str, np.ndarray], run: Any
) -> None:
    from textseq.export.runtimes.process import call

    item, made = converted
    if item.reads != "texts":
        alone_only(item, made, served, run)
        return
    blocks = [{"text": MIXED}, *({"text": [text]} for text in MIXED)]
    together, *alone = call(item.name, "answer", {"model": f"{made['path']}/{item.model}", "blocks": blocks})["answers"]
    np.testing.assert_allclose(together["probabilities"], served["probabilities"], atol=1e-5)
    rows = [answer["probabilities"][0] for answer in alone]
    np.testing.assert_allclose(rows, served["probabilities"], atol=1e-5)
    wanted = [label.decode() for label in served["label"]]
    assert len(set(wanted)) == 2
    places = np.argmax(together["probabilities"], axis=1)
    assert together.get("label", [run.labels.names[place] for place in places]) == wanted


@pytest.mark.slow
def test_a_converted_model_says_what_it_is(converted: Any, exported_classifier: Path, texts: Any) -> None:
    item, made = converted
    folder = exported_classifier.with_name(f"{exported_classifier.name}.{item.name}")
    assert Path(made["path"]) == folder / "1"
    assert [path.name for path in folder.iterdir()] == ["1"]
    assert [path.name for path in exported_classifier.iterdir()] == ["1"]  # what the server watches is as it was
    names = {path.name for path in (folder / "1").iterdir()}
    assert names == {item.model, "textseq.json", *BESIDE[item.name]}
    said = json.loads((folder / "1" / "textseq.json").read_text())
    assert (said["labels"]["names"], said["inputs"]) == (
        ["animal", "tool"],
        ["text"] if item.reads == "texts" else ["token_ids"],
    )
    gate = said["gate"]
    assert (gate["held_out"], gate["split"]) == (100, "test")
    cut = [text for text in texts.texts if not item.takes(text.decode("utf-8", "replace"))]
    assert (gate["adversarial"], gate["left_out_for_nul"]) == (300 - len(cut), len(cut))
    assert gate["largest_probability_difference"] <= 1e-5


@pytest.mark.slow
def test_8_bit_weights_come_with_the_accuracy_before_and_after(converted: Any, exported_classifier: Path) -> None:
    item, made = converted
    if not item.shrinks:
        assert "int8" not in made
        return
    about = json.loads((exported_classifier / "1" / "assets.extra" / "textseq.json").read_text())
    small = made["int8"]
    assert (small["rows"], small["split"]) == (100, "test")
    assert small["accuracy_before"] == pytest.approx(about["gate"]["held_out_accuracy"])
    assert small["accuracy"] >= small["accuracy_before"] - 0.05
    assert 0 < small["largest_probability_difference"] < 0.1  # another model, yet the same one
    said = json.loads((Path(small["path"]) / "textseq.json").read_text())
    assert said["int8"]["accuracy"] == small["accuracy"]


@pytest.mark.slow
def test_a_model_that_answers_otherwise_is_not_published(
    onnx: Any, run: Any, texts: Any, exported_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textseq.export.runtimes import graph
    from textseq.export.runtimes.making import make

    (tmp_path / "out").mkdir()
    version = tmp_path / "out" / "1"
    version.symlink_to(exported_classifier / "1")
    monkeypatch.setattr(graph, "outputs_as_made", nullcontext)  # the backward half comes out back to front
    few = replace(texts, texts=texts.texts[:40], held_out=0, split=None, targets=None)
    with pytest.raises(
        RunFailedError, match=r"probabilities of the ONNX model differ from the SavedModel's at the text '"
    ):
        make(onnx, run, version, few, temperature=1.0, int8=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_language_model_is_refused_before_anything_is_written(onnx: Any, writer_run: Path, tmp_path: Path) -> None:
    from textseq.export.exporter import export

    with pytest.raises(UsageError, match=r"ONNX is made from classifiers only"):
        export(writer_run, tmp_path / "out", formats=["onnx"])
    assert not list(tmp_path.iterdir())
