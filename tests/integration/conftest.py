"""Runs and exports that several tests ask: each is made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

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
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], Any]], Path]:
    """What has a folder made by the first process that needs it, and gives every process a copy of its own."""
    mine = tmp_path_factory.mktemp("copies")
    together = "PYTEST_XDIST_WORKER" in os.environ
    everyones = tmp_path_factory.getbasetemp().parent if together else tmp_path_factory.getbasetemp()

    def folder(name: str, make: Callable[[Path], Any]) -> Path:
        original = everyones / "made once" / name
        original.parent.mkdir(exist_ok=True)
        with FileLock(original.with_suffix(".lock")):
            if not original.exists():
                unfinished = original.with_suffix(".unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)  # of an attempt that failed
                make(unfinished)
                unfinished.rename(original)
        return Path(shutil.copytree(original, mine / name))

    return folder


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
def classifier_run(topics_config: Path, once: Any) -> Path:
    """An LSTM with SentencePiece that tells animals from tools."""
    settings = ("tokenizer={name: sentencepiece, vocabulary_size: 320}", "task.max_length=64")
    return once("classifier", lambda run: trained(topics_config, run, *settings, report=True))


@pytest.fixture(scope="session")
def writer_run(story_config: Path, once: Any) -> Path:
    """An LSTM language model over bytes."""
    return once("writer", lambda run: trained(story_config, run, "training.epochs=6", report=True))


@pytest.fixture(scope="session")
def exported_classifier(classifier_run: Path, once: Any) -> Path:
    """The folder of versions of `classifier_run`."""
    from textseq.export.exporter import export

    return once("exported_classifier", lambda out: export(classifier_run, out))


@pytest.fixture(scope="session")
def exported_writer(writer_run: Path, once: Any) -> Path:
    """The folder of versions of `writer_run`."""
    from textseq.export.exporter import export

    return once("exported_writer", lambda out: export(writer_run, out))
