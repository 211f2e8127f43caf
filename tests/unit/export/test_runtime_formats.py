"""What `--format` refuses before anything is made, without any runtime installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main
from textseq.errors import UsageError
from textseq.export.runtimes.formats import FORMATS, chosen, folder_of, refuse_taken, refuse_unfit

BOTH = list(FORMATS.values())


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
def test_8_bit_weights_want_onnx(names: list[str], installed: None) -> None:
    with pytest.raises(UsageError, match=r"--int8: makes 8-bit weights for ONNX only.*Add --format onnx"):
        chosen(names, int8=True)


def test_the_command_says_so_before_it_looks_at_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "no run"), str(tmp_path / "out"), "--int8"])
    assert ended.value.code == 2
    assert "--int8: makes 8-bit weights for ONNX only" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("item", BOTH, ids=lambda item: item.name)
@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ({"task": "language_modeling", "classifies": False}, "is made from classifiers only.*'language_modeling'"),
        ({"tokenizer": "words"}, "no operation for a table of words.*tokenizer.name: sentencepiece"),
        ({"tokenizer": "bytes"}, "no operation for the bytes of a string"),
    ],
)
def test_what_no_runtime_can_run_is_refused(item: Any, case: dict[str, Any], sentence: str) -> None:
    run = {"task": "classification", "classifies": True, "tokenizer": "sentencepiece", **case}
    with pytest.raises(UsageError, match=sentence):
        refuse_unfit([item], **run)


def test_classifiers_over_sentencepiece_and_strangers_tokenizers_are_tried() -> None:
    for tokenizer in ("sentencepiece", "somebody's own"):
        refuse_unfit(BOTH, task="classification", classifies=True, tokenizer=tokenizer)
    refuse_unfit([], task="language_modeling", classifies=False, tokenizer="words")


def test_formats_lie_beside_the_folder_that_a_server_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_of(Path("served/sst2"), "onnx") == tmp_path / "served" / "sst2.onnx"
    assert folder_of(Path(), "onnx") == tmp_path.with_name(f"{tmp_path.name}.onnx")


def test_a_model_of_an_earlier_export_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "out.onnx-int8" / "1").mkdir(parents=True)
    refuse_taken(BOTH, out, 1, int8=False)
    refuse_taken(BOTH, out, 2, int8=True)
    with pytest.raises(UsageError, match=r"out\.onnx-int8/1: holds a model of an earlier version 1"):
        refuse_taken(BOTH, out, 1, int8=True)


def test_texts_that_a_binding_would_cut_are_known() -> None:
    texts = ["cat", "", "a\x00cat", "cat\x00"]
    assert [text for text in texts if FORMATS["onnx"].takes(text)] == ["cat", ""]
    assert [text for text in texts if FORMATS["openvino"].takes(text)] == ["cat", "", "a\x00cat"]
