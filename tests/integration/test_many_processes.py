"""Several processes on this machine train as one does."""

from __future__ import annotations

import json
from pathlib import Path

import many_processes
import pytest

from textseq.cli import main

EVERY_STEP = ("training.log_every=1", "training.epochs=2")


def test_two_processes_train_as_one_does(topics_config: Path, tmp_path: Path) -> None:
    settings = (*EVERY_STEP, "task.class_weights=balanced", "data.max_rows=250")  # the last batch is not full
    alone, both = tmp_path / "alone", tmp_path / "both"
    commands = [many_processes.command(topics_config, alone, settings)]
    commands += many_processes.members(topics_config, both, 2, settings, "--json")
    _, first, second = many_processes.succeed(commands)
    assert many_processes.largest_difference(alone, both) < 1e-4
    assert sorted(path.name for path in both.iterdir()) == sorted(path.name for path in alone.iterdir())
    assert json.loads(first[0])["run"] == str(both)
    assert second[0] == ""
    assert "epoch" not in second[1]


LANGUAGE_MODELS = {
    "lstm": (),
    "transformer": ("encoder={name: transformer, units: 32, depth: 2, heads: 2, context: 32}",),
    "shuffled windows": ("task.carry_state=false",),
    "adaptive softmax": ("tokenizer=words", "task={name: language_modeling, softmax: adaptive, cutoffs: [6, 9]}"),
    "accumulated and averaged": ("training.accumulate=2", "training.ema=0.9"),
}


@pytest.mark.slow
@pytest.mark.parametrize("settings", LANGUAGE_MODELS.values(), ids=LANGUAGE_MODELS)
@pytest.mark.parametrize("count", [2, 4])
def test_language_models_are_trained_as_by_one(
    count: int, settings: tuple[str, ...], story_config: Path, tmp_path: Path
) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    commands = [many_processes.command(story_config, alone, (*EVERY_STEP, *settings))]
    commands += many_processes.members(story_config, together, count, (*EVERY_STEP, *settings))
    many_processes.succeed(commands)
    assert many_processes.largest_difference(alone, together) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [("data.text_pair=other",), ("tokenizer={name: sentencepiece, vocabulary_size: 320, sampling: 0.2}",)]
)
def test_four_processes_classify_as_one_does(more: tuple[str, ...], topics_config: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    commands = [many_processes.command(topics_config, alone, (*EVERY_STEP, *more))]
    commands += many_processes.members(topics_config, together, 4, (*EVERY_STEP, *more))
    many_processes.succeed(commands)
    assert many_processes.largest_difference(alone, together) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 2])
def test_all_end_when_one_is_killed(killed: int, story_config: Path, tmp_path: Path) -> None:
    commands = many_processes.members(
        story_config, tmp_path / "run", 3, ("training.epochs=2000", "training.batch_size=6")
    )
    with many_processes.started(commands) as processes:
        assert processes[0].stderr is not None
        next(line for line in processes[0].stderr if "epoch 2/2000 done" in line)
        processes[killed].kill()
        ended = many_processes.outcomes(processes)
    for index, (code, _, error) in enumerate(ended):
        if index != killed:
            assert code == 1, error
            assert "misses another, which ended or cannot be reached" in error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--processes", "2"], "--processes: says nothing without --distributed. Received: 2."),
        (["--distributed", "--backend", "tensorflow"], "--distributed: needs JAX. Received: 'tensorflow'."),
        (["--distributed", "--coordinator", "here"], "--coordinator: must be host:port. Received: 'here'."),
        (["--distributed", "--processes", "2", "--process", "2"], "--process: must be below --processes, 2"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    arguments: list[str], sentence: str, topics_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", str(topics_config), *arguments])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
