"""Runs in processes of their own that are killed at random moments, and resumed until they are done."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killed_runs import Forks, differing, forks, random_kills, what_a_run_ends_with

EVERYTHING = (
    "training.epochs=2",
    "training.ema=0.9",
    "training.accumulate=2",
    "training.schedule={name: cosine, warmup: 0.1}",
    "training.log_every=2",
    "training.checkpoint_every=3",
    "embedding.dropout=0.1",
    "embedding.word_dropout=0.1",
    "encoder={name: gru, units: 8, dropout: 0.2}",
)
SAMPLED = ("tokenizer={name: sentencepiece, vocabulary_size: 320, sampling: 0.2}", "training.batch_size=40")
CARRIED = ("tokenizer=bytes", "training.batch_size=24", "task.dropout=0.1")
OPERATIONS = 180  # about as many as such a run does to its files
KINDS = {"classification": ("topics_config", SAMPLED), "language modelling": ("story_config", CARRIED)}


class Course:
    """One config whose runs are killed.

    Args:
        train: Starts processes.
        arguments: Of the command, all but the run directory.
        folder: Where runs go.
    """

    def __init__(self, train: Forks, arguments: list[str], folder: Path) -> None:
        self.train, self.arguments, self.folder = train, arguments, folder
        began = time.monotonic()
        assert train(*arguments, folder / "whole") == 0, train.log
        self.seconds = time.monotonic() - began
        self.whole = what_a_run_ends_with(folder / "whole")

    def kill_one(self, name: str, kills: Iterator[dict[str, Any]]) -> tuple[int, list[str]]:
        """Returns how often a run was killed, and what of it differs from the one that never was."""
        run = self.folder / name
        killed = self.train.until_done(*self.arguments, run, kills=kills)
        return killed, differing(self.whole, what_a_run_ends_with(run))


def course(kind: str, train: Forks, folder: Path, request: pytest.FixtureRequest) -> Course:
    fixture, more = KINDS[kind]
    config = request.getfixturevalue(fixture)
    settings = [part for setting in (*EVERYTHING, *more) for part in ("--set", setting)]
    flags = ["--quiet", "--json", "--no-report", "--resume"]
    return Course(train, ["train", str(config), *settings, *flags, "--run-dir"], folder)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks(tmp_path_factory.mktemp("forks")) as starts:
        yield starts


def test_a_run_killed_five_times_ends_as_one_that_never_was(
    train: Forks, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    one = course("classification", train, tmp_path, request)
    # In the second the first checkpoint is written, and not yet in its place.
    kills = ({"operation": 3}, {"operation": 3, "path": "checkpoints"}, *({"operation": at} for at in (60, 55, 60)))
    assert one.kill_one("killed", iter(kills)) == (5, [])


def test_a_second_ctrl_c_ends_the_process_at_once(train: Forks, topics_config: Path, tmp_path: Path) -> None:
    arguments = ["train", topics_config, "--set", "training.log_every=1", "--no-report", "--run-dir", tmp_path / "run"]
    status = train(
        *arguments, event={"path": "metrics.jsonl", "operation": 3, "number": int(signal.SIGINT), "times": 2}
    )
    assert status == -signal.SIGINT, train.log
    assert "ending after this step" in train.log
    assert not (tmp_path / "run" / "scores.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "kind", "runs"),
    [
        ("tensorflow", "classification", 35),
        ("tensorflow", "language modelling", 35),
        ("jax", "classification", 15),
        ("jax", "language modelling", 15),
    ],
)
def test_each_of_a_hundred_killed_runs_ends_as_one_that_never_was(
    backend: str, kind: str, runs: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    generator = random.Random(f"{backend} {kind}")
    equal = number = 0
    with forks(tmp_path, backend) as train:
        one = course(kind, train, tmp_path, request)
        while equal < runs:
            number += 1
            kills = random_kills(generator, seconds=one.seconds, operations=OPERATIONS, most=3)
            killed, differ = one.kill_one(str(number), kills)
            assert differ == [], f"run {number}, killed {killed} times"
            equal += killed > 0  # a run that was quicker than its killer does not count
    assert equal == runs
