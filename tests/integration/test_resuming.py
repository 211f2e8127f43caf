"""Runs that were cut off go on, or say why not; through the command line, in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killed_runs import differing, what_a_run_ends_with

from textseq.cli import main
from textseq.files import locked
from textseq.training.saving import Saving

EVERYTHING = (
    "training.epochs=2",
    "training.batch_size=40",
    "training.ema=0.9",
    "training.accumulate=2",
    "training.schedule={name: cosine, warmup: 0.1}",
    "training.log_every=3",
    "training.checkpoint_every=4",
    "embedding.dropout=0.1",
    "embedding.word_dropout=0.1",
    "encoder.dropout=0.2",
)


TWO = ("training.epochs=2", "training.checkpoint_every=3")


class Cut(Exception):
    """Stands for a machine that fails."""


@pytest.fixture
def textseq(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command and returns what it says on stderr."""

    def run(*arguments: object, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        errors = capsys.readouterr().err
        assert ended.value.code == code, errors
        return errors

    return run


@pytest.fixture
def cut_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Returns what lets trainings fail after so many steps; 0 for never."""
    whole = Saving.on_train_batch_end

    def cut(step: int) -> None:
        left = step

        def fail(self: Saving, batch: int, logs: Any = None) -> None:
            nonlocal left
            whole(self, batch, logs)
            left -= 1
            if left == 0:
                raise Cut

        monkeypatch.setattr(Saving, "on_train_batch_end", fail)

    return cut


def read_epochs(run: Path) -> list[str]:
    return (run / "epochs.csv").read_text().splitlines()[1:]


def sets(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def arguments(config: Path, run: Path, *settings: str) -> list[object]:
    return ["train", config, "--run-dir", run, "--quiet", "--json", "--no-report", *sets(*settings)]


@pytest.mark.parametrize(
    ("fixture", "more"),
    [
        ("topics_config", ("tokenizer={name: sentencepiece, vocabulary_size: 320, sampling: 0.2}",)),
        ("story_config", ("training.epochs=2", "training.batch_size=16", "task.dropout=0.1")),
    ],
    ids=["classification", "language modelling"],
)
def test_a_run_that_was_cut_twice_ends_as_one_that_never_was(
    fixture: str,
    more: tuple[str, ...],
    tmp_path: Path,
    textseq: Callable[..., str],
    cut_at: Callable[[int], None],
    request: pytest.FixtureRequest,
) -> None:
    config = request.getfixturevalue(fixture)
    settings = (*EVERYTHING, *more)
    textseq(*arguments(config, tmp_path / "whole", *settings))
    for step in (6, 9):  # after the checkpoints of steps 4 and 12
        cut_at(step)
        textseq(*arguments(config, tmp_path / "cut", *settings), "--resume", code=1)
        assert not (tmp_path / "cut" / "scores.json").exists()
    cut_at(0)
    textseq(*arguments(config, tmp_path / "cut", *settings), "--resume")
    assert differing(what_a_run_ends_with(tmp_path / "whole"), what_a_run_ends_with(tmp_path / "cut")) == []


@pytest.fixture(scope="module")
def unfinished(topics_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs that was cut off in the second."""
    run = tmp_path_factory.mktemp("unfinished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        whole = Saving.save

        def fail(self: Saving, epoch: int, step: int, *, regular: bool) -> None:
            if (epoch, step) == (1, 5):
                raise Cut
            whole(self, epoch, step, regular=regular)

        patch.setattr(Saving, "save", fail)
        with pytest.raises(SystemExit) as ended:
            main(
                [str(one) for one in arguments(topics_config, run, "training.epochs=2", "training.checkpoint_every=3")]
            )
    assert ended.value.code == 1
    return run


def test_without_resume_both_ways_on_are_named(
    unfinished: Path, topics_config: Path, textseq: Callable[..., str]
) -> None:
    said = textseq(*arguments(topics_config, unfinished, *TWO), code=2)
    assert "holds a run that is not finished" in said
    assert "--resume to go on with it" in said
    assert "--overwrite to begin anew" in said


def test_another_config_is_refused_setting_by_setting(
    unfinished: Path, topics_config: Path, textseq: Callable[..., str]
) -> None:
    changed = (*TWO, "encoder.units=8", "training.learning_rate=0.5", "training.log_every=1")
    said = textseq(*arguments(topics_config, unfinished, *changed), "--resume", code=2)
    assert "encoder.units: 16 when the run began, 8 now" in said
    assert "training.learning_rate: 0.02 when the run began, 0.5 now" in said
    assert "log_every" not in said


def test_more_epochs_are_refused_where_the_schedule_spreads_over_all(
    topics_config: Path, unfinished: Path, tmp_path: Path, textseq: Callable[..., str]
) -> None:
    (tmp_path / "run").mkdir()
    resolved = (unfinished / "resolved.yaml").read_text()
    (tmp_path / "run" / "resolved.yaml").write_text(resolved.replace("name: constant", "name: cosine"))
    more = ("training.epochs=3", "training.checkpoint_every=3", "training.schedule=cosine")
    said = textseq(*arguments(topics_config, tmp_path / "run", *more), "--resume", code=2)
    assert "training.epochs: 2 when the run began, 3 now" in said
    assert "the schedule spreads over all epochs" in said


def test_another_backend_and_fewer_epochs_than_are_done_are_refused(
    unfinished: Path, topics_config: Path, textseq: Callable[..., str]
) -> None:
    from textseq.config import load_config
    from textseq.errors import RunDirectoryError
    from textseq.rundir import RunDirectory
    from textseq.training.checkpoints.folder import Checkpoints
    from textseq.training.resuming import check_position

    checkpoint = Checkpoints(RunDirectory(unfinished)).latest([].append)
    assert checkpoint is not None
    with pytest.raises(RunDirectoryError, match="began under tensorflow"):
        check_position(checkpoint, load_config(topics_config), "jax")
    one = (*arguments(topics_config, unfinished, "training.epochs=1", "training.checkpoint_every=3"), "--resume")
    assert "the run is in epoch 2 already" in textseq(*one, code=2)


# What happens to a file's lines, each a row, and what is said of that.
CHANGES: dict[str, tuple[str, Callable[[list[str]], list[str]], str]] = {
    "a word": ("train", lambda rows: [row.replace("cat", "cow") for row in rows], "the rows of train are not those"),
    "a label": (
        "validation",
        lambda rows: [rows[0].replace("animal", "tool"), *rows[1:]],
        "the rows of validation are",
    ),
    "a row less": ("test", lambda rows: rows[:-1], "the rows of test are not those that the run began with"),
    "the order": ("train", lambda rows: rows[::-1], "the rows of train are not those that the run began with"),
    "a new class": ("train", lambda rows: [rows[0].replace("animal", "plant"), *rows[1:]], "not the one that the run"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_dataset_that_changed_is_refused(
    change: str, unfinished: Path, topics_config: Path, tmp_path: Path, textseq: Callable[..., str]
) -> None:
    changed, make, says = CHANGES[change]
    for split in ("train", "validation", "test"):
        rows = (topics_config.parent / f"{split}.jsonl").read_text().splitlines()
        (tmp_path / f"{split}.jsonl").write_text("\n".join(make(rows) if split == changed else rows))
    config = tmp_path / "topics.yaml"
    config.write_text(topics_config.read_text().replace(str(topics_config.parent), str(tmp_path)))
    before = sorted((path.name, path.stat().st_size) for path in unfinished.rglob("*"))
    said = textseq(*arguments(config, unfinished, *TWO), "--resume", code=2)
    assert says in said
    assert "Bring" in said
    assert sorted((path.name, path.stat().st_size) for path in unfinished.rglob("*")) == before


def test_a_dataset_that_is_gone_is_refused(
    unfinished: Path, topics_config: Path, tmp_path: Path, textseq: Callable[..., str]
) -> None:
    config = tmp_path / "topics.yaml"
    config.write_text(topics_config.read_text().replace(str(topics_config.parent), str(tmp_path)))
    said = textseq(*arguments(config, unfinished, *TWO), "--resume", code=2)
    assert "train.jsonl" in said
    assert "TEXTSEQ_DEBUG" not in said


def test_resume_and_overwrite_exclude_each_other(
    unfinished: Path, topics_config: Path, textseq: Callable[..., str]
) -> None:
    said = textseq(*arguments(topics_config, unfinished, *TWO), "--resume", "--overwrite", code=2)
    assert "Pass one" in said


def test_a_finished_run_says_so_and_goes_on_for_more_epochs(
    topics_config: Path, tmp_path: Path, textseq: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    textseq(*arguments(topics_config, tmp_path / "whole", "training.epochs=2"))
    textseq(*arguments(topics_config, tmp_path / "more", "training.epochs=1"))
    one = ["train", topics_config, "--run-dir", tmp_path / "more", "--json", "--no-report", "--resume"]
    assert "this run is finished" in textseq(*one, *sets("training.epochs=1"))
    assert "Going on in epoch 2 after step 0" in textseq(*one, *sets("training.epochs=2"))
    assert differing(what_a_run_ends_with(tmp_path / "whole"), what_a_run_ends_with(tmp_path / "more")) == []
    assert json.loads((tmp_path / "more" / "scores.json").read_text())["training"]["best_epoch"] in (1, 2)


def test_more_patience_lets_a_run_that_ended_early_go_on(
    topics_config: Path, tmp_path: Path, textseq: Callable[..., str]
) -> None:
    still = ("training.epochs=9", "training.learning_rate=1e-9")  # nothing ever gets better
    textseq(*arguments(topics_config, tmp_path / "whole", *still, "training.early_stopping=2"))
    textseq(*arguments(topics_config, tmp_path / "more", *still, "training.early_stopping=1"))
    assert len(read_epochs(tmp_path / "more")) == 2
    go_on = ["train", topics_config, "--run-dir", tmp_path / "more", "--no-report", "--resume"]
    said = textseq(*go_on, *sets("training.epochs=10", still[1], "training.early_stopping=1"))
    assert "training.early_stopping: the epochs without a better score are at an end" in said
    assert len(read_epochs(tmp_path / "more")) == 2
    textseq(*go_on, *sets("training.epochs=10", still[1], "training.early_stopping=2"))
    assert differing(what_a_run_ends_with(tmp_path / "whole"), what_a_run_ends_with(tmp_path / "more")) == []
    assert len(read_epochs(tmp_path / "more")) == 3


def test_a_run_that_another_process_trains_is_not_overwritten(
    unfinished: Path, topics_config: Path, tmp_path: Path, textseq: Callable[..., str]
) -> None:
    run = shutil.copytree(unfinished, tmp_path / "run")
    there = sorted(run.rglob("*"))
    with locked(run):
        said = textseq(*arguments(topics_config, run), "--overwrite", code=2)
    assert "another process trains here" in said
    assert sorted(run.rglob("*")) == there


def test_resuming_where_there_is_nothing_begins(
    topics_config: Path, tmp_path: Path, textseq: Callable[..., str]
) -> None:
    textseq(*arguments(topics_config, tmp_path / "run", "training.epochs=1"), "--resume")
    assert (tmp_path / "run" / "scores.json").is_file()
