"""Training on a stream, through the command line, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from textseq.cli import main


def run(*arguments: object, code: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == code


STREAM = ("--set", "data.streaming=true")


def test_a_classifier_learns_from_a_stream(
    topics_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "run"
    run(
        "train",
        topics_config,
        "--run-dir",
        there,
        "--quiet",
        "--json",
        "--no-report",
        *STREAM,
        "--set",
        "training.steps_per_epoch=13",
    )
    scores = json.loads(capsys.readouterr().out)
    assert scores["test"]["accuracy"] >= 0.9
    assert scores["test"]["rows"] == 100
    audit = json.loads((there / "audit.json").read_text())
    assert audit["streamed"] is True
    run("evaluate", there, "--json")
    assert json.loads(capsys.readouterr().out)["accuracy"] == scores["test"]["accuracy"]


def test_a_language_model_learns_from_a_stream(
    story_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--set", "training.steps_per_epoch=55", "--set", "training.epochs=6")
    run("train", story_config, "--run-dir", tmp_path / "run", "--quiet", "--json", *STREAM, *more)
    assert json.loads(capsys.readouterr().out)["test"]["bits_per_byte"] < 2.0


def test_a_stream_without_a_number_of_steps_is_refused(
    topics_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("train", topics_config, "--run-dir", tmp_path / "run", "--quiet", *STREAM, code=2)
    assert "training.steps_per_epoch: must be set with data.streaming" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_stream_without_a_validation_split_is_refused(
    topics_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--set", "data.splits.validation=null")
    run("train", topics_config, "--run-dir", tmp_path / "run", "--quiet", *STREAM, *more, code=2)
    assert "needs a validation split of its own" in capsys.readouterr().err
