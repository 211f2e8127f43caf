"""Runs and exports that several tests ask: each is made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main


def trained(config: Path, run: Path, *settings: str, report: bool = False) -> Path:
    """Trains through the command line, in this process; a report takes as long as such a training."""
    more = [part for setting in settings for part in ("--set", setting)]
    page = [] if report else ["--no-report"]
    with pytest.raises(SystemExit) as ended:
        main(["train", str(config), "--run-dir", str(run), "--quiet", "--json", *page, *more])
    assert ended.value.code == 0
    return run


@pytest.fixture(scope="session")
def train() -> Any:
    return trained


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command in this process and returns what it printed."""

    def run(*arguments: object, code: int = 0) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert ended.value.code == code, captured.err
        return captured.out

    return run


@pytest.fixture(scope="session")
def classifier_run(topics_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LSTM with SentencePiece that tells animals from tools."""
    run = tmp_path_factory.mktemp("runs") / "classifier"
    return trained(
        topics_config, run, "tokenizer={name: sentencepiece, vocabulary_size: 320}", "task.max_length=64", report=True
    )


@pytest.fixture(scope="session")
def writer_run(story_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LSTM language model over bytes."""
    return trained(story_config, tmp_path_factory.mktemp("runs") / "writer", "training.epochs=6", report=True)


@pytest.fixture(scope="session")
def exported_classifier(classifier_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of versions of `classifier_run`."""
    from textseq.export.exporter import export

    out = tmp_path_factory.mktemp("exported") / "classifier"
    export(classifier_run, out)
    return out


@pytest.fixture(scope="session")
def exported_writer(writer_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of versions of `writer_run`."""
    from textseq.export.exporter import export

    out = tmp_path_factory.mktemp("exported") / "writer"
    export(writer_run, out)
    return out
