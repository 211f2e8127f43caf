"""What `--format` refuses before anything is made, without any runtime installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main
from textseq.errors import UsageError
from textseq.export.runtimes.formats import FORMATS, chosen, folder_of, refuse_taken, refuse_unfit

ALL = list(FORMATS.values())
OF_TEXTS = [item for item in ALL if item.reads == "texts"]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every package were there."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_the_saved_model_is_no_format_beside_itself_and_each_is_made_once(installed: None) -> None:
    assert [item.name for item in chosen(["onnx", "savedmodel", "openvino", "onnx"], int8=False)] == [
        "onnx",
        "openvino",
    ]
    assert chosen(["savedmodel"], int8=False) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_package_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=rf"--format {name}: needs packages .* pip install 'textseq\[{name}\]'"):
        chosen([name], int8=False)


@pytest.mark.parametrize("names", [[], ["savedmodel"], ["openvino"]])
def test_8_bit_weights_want_a_format_that_has_them(names: list[str], installed: None) -> None:
    with pytest.raises(
        UsageError, match=r"--int8: makes 8-bit weights for ONNX and TensorFlow Lite only.*Add --format onnx or"
    ):
        chosen(names, int8=True)


def test_the_command_says_so_before_it_looks_at_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "no run"), str(tmp_path / "out"), "--int8"])
    assert ended.value.code == 2
    assert "--int8: makes 8-bit weights for ONNX and TensorFlow Lite only" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.name)
def test_language_models_are_refused(item: Any) -> None:
    with pytest.raises(UsageError, match=r"is made from classifiers only.*'language_modeling'"):
        refuse_unfit([item], task="language_modeling", classifies=False, tokenizer="sentencepiece")


def test_what_takes_token_ids_has_no_need_of_the_tokenizer() -> None:
    assert [item.name for item in ALL if item not in OF_TEXTS] == ["tflite"]
    for tokenizer in ("words", "bytes"):
        refuse_unfit([FORMATS["tflite"]], task="classification", classifies=True, tokenizer=tokenizer)


@pytest.mark.parametrize("item", OF_TEXTS, ids=lambda item: item.name)
@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        (
            {"tokenizer": "words"},
            "no operation for a table of words.*tokenizer.name: sentencepiece, take --format",
        ),
        ({"tokenizer": "bytes"}, "no operation for the bytes of a string"),
    ],
)
def test_what_no_runtime_can_run_is_refused(item: Any, case: dict[str, Any], sentence: str) -> None:
    run = {"task": "classification", "classifies": True, "tokenizer": "sentencepiece", **case}
    with pytest.raises(UsageError, match=sentence):
        refuse_unfit([item], **run)


def test_classifiers_over_sentencepiece_and_strangers_tokenizers_are_tried() -> None:
    for tokenizer in ("sentencepiece", "somebody's own"):
        refuse_unfit(ALL, task="classification", classifies=True, tokenizer=tokenizer)
    refuse_unfit([], task="language_modeling", classifies=False, tokenizer="words")


def test_formats_lie_beside_the_folder_that_a_server_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_of(Path("served/sst2"), "onnx") == tmp_path / "served" / "sst2.onnx"
    assert folder_of(Path(), "onnx") == tmp_path.with_name(f"{tmp_path.name}.onnx")


def test_a_model_of_an_earlier_export_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "out.onnx-int8" / "1").mkdir(parents=True)
    refuse_taken(ALL, out, 1, int8=False)
    refuse_taken(ALL, out, 2, int8=True)
    with pytest.raises(UsageError, match=r"out\.onnx-int8/1: holds a model of an earlier version 1"):
        refuse_taken(ALL, out, 1, int8=True)


def test_texts_that_a_binding_would_cut_are_known() -> None:
    texts = ["cat", "", "a\x00cat", "cat\x00"]
    assert [text for text in texts if FORMATS["onnx"].takes(text)] == ["cat", ""]
    assert [text for text in texts if FORMATS["openvino"].takes(text)] == ["cat", "", "a\x00cat"]
