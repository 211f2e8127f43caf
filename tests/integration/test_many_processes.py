"""Several processes on this machine train as one does."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import many_processes
import pytest

from textseq.cli import main
from textseq.config import load_config

MISSED = "misses another, which ended, hangs or cannot be reached"
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


# At the config's rate, 1e-2, a Transformer's training magnifies rounding: one process whose weights begin 6e-8 off
# ends 0.04 off. At 1e-3 it does not, and tests/integration/test_many_devices.py looks at single steps.
TRANSFORMER = "encoder={name: transformer, units: 32, depth: 2, heads: 2, context: 32}"
LANGUAGE_MODELS = {
    "lstm": (),
    "lstm with dropout": ("encoder={name: lstm, units: 32, dropout: 0.3, recurrent_dropout: 0.2}", "task.dropout=0.2"),
    "transformer": (TRANSFORMER, "training.learning_rate=1e-3"),
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
@pytest.mark.parametrize(
    ("killed", "number", "its_code"),
    [(0, signal.SIGKILL, -signal.SIGKILL), (2, signal.SIGKILL, -signal.SIGKILL), (1, signal.SIGINT, 130)],
)
def test_all_end_when_one_is_ended(
    killed: int, number: signal.Signals, its_code: int, story_config: Path, tmp_path: Path
) -> None:
    commands = many_processes.members(
        story_config, tmp_path / "run", 3, ("training.epochs=2000", "training.batch_size=6")
    )
    with many_processes.started(commands) as processes:
        assert processes[0].stderr is not None
        next(line for line in processes[0].stderr if "epoch 2/2000 done" in line)
        processes[killed].send_signal(number)
        ended = many_processes.outcomes(processes)
    assert ended[killed][0] == its_code
    for index, (code, _, error) in enumerate(ended):
        if index != killed:
            assert code == 1, error
            assert error.count(MISSED) == 1, error


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [0, 2])
def test_all_end_when_one_hangs(stopped: int, story_config: Path, tmp_path: Path) -> None:
    """A stopped process keeps its connections, so only its silence tells; going on, it finds the others gone."""
    commands = many_processes.members(
        story_config, tmp_path / "run", 3, ("training.epochs=20000", "training.batch_size=6")
    )
    with many_processes.started(commands) as processes:
        assert processes[0].stderr is not None
        next(line for line in processes[0].stderr if "epoch 2/20000 done" in line)
        processes[stopped].send_signal(signal.SIGSTOP)
        ended = many_processes.outcomes([process for index, process in enumerate(processes) if index != stopped])
        assert processes[stopped].poll() is None
        processes[stopped].send_signal(signal.SIGCONT)
        ended += many_processes.outcomes([processes[stopped]])
    for code, _, error in ended:
        assert code == 1, error
        assert error.count(MISSED) == 1, error


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 4])
def test_a_run_goes_on_with_another_number_of_processes(count: int, story_config: Path, tmp_path: Path) -> None:
    settings = ("training.epochs=12", "training.log_every=5", "training.checkpoint_every=7")
    alone, cut_off = tmp_path / "alone", tmp_path / "cut off"
    many_processes.succeed([many_processes.command(story_config, alone, settings)])
    with many_processes.started(many_processes.members(story_config, cut_off, 2, settings)) as processes:
        assert processes[0].stderr is not None
        next(line for line in processes[0].stderr if "epoch 2/12 done" in line)
        processes[1].kill()
        assert many_processes.outcomes(processes)[0][0] == 1
    assert len(many_processes.curve(cut_off)) < len(many_processes.curve(alone))
    commands = [many_processes.command(story_config, cut_off, settings, "--resume")]
    if count > 1:
        commands = many_processes.members(story_config, cut_off, count, settings, "--resume")
    _, error = many_processes.succeed(commands)[0]
    assert "Going on in epoch" in error
    assert many_processes.largest_difference(alone, cut_off) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("config", ["topics_config", "story_config"])
def test_processes_share_out_a_stream(config: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    settings = ("data.streaming=true", "training.steps_per_epoch=30", "training.epochs=2")
    path: Path = request.getfixturevalue(config)
    many_processes.succeed(many_processes.members(path, tmp_path / "run", 2, settings))
    losses = [line["loss"] for line in many_processes.curve(tmp_path / "run") if "epoch" in line]
    assert losses[1] < 0.9 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [many_processes.in_slurm, many_processes.in_open_mpi])
def test_a_cluster_says_who_takes_part(
    cluster: Callable[[int], list[dict[str, str]]], topics_config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    one = many_processes.command(topics_config, run, ("training.epochs=1",), "--distributed", "--json")
    (first, _), (second, _) = many_processes.succeed([one, one], cluster(2))
    assert json.loads(first)["run"] == str(run)
    assert second == ""


@pytest.mark.slow
def test_the_first_finds_the_largest_batch_for_all(story_config: Path, tmp_path: Path) -> None:
    settings = ("training.batch_size=auto", "training.memory_budget=4GB", "training.epochs=1")
    run = tmp_path / "run"
    (_, first), (_, second) = many_processes.succeed(many_processes.members(story_config, run, 2, settings))
    (line,) = [line for line in first.splitlines() if line.startswith("training.batch_size: ")]
    found = load_config(run / "resolved.yaml").training.rows
    assert found > 2
    assert line.startswith(f"training.batch_size: {found}, for {found // 2} rows in each of 2 processes take ")
    assert "training.batch_size" not in second


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
