"""Trainings that diverge by themselves, and signals from outside, on both backends; nothing is put in their place."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed_runs import Forks, differing, forks, what_a_run_ends_with

from textseq.rundir import RunDirectory
from textseq.training.checkpoints.folder import Checkpoints

pytestmark = pytest.mark.slow

STEEP_RATE = 1000.0
POISONED_ROW, POISON = 123, 31  # tokens, for which tests/support/poisoned.py has no finite answer
SHORT = ("training.epochs=2", "training.log_every=1", "training.checkpoint_every=4")
# Weights of a plain descent at this rate run away within some steps; at a fraction of it they do not.
STEEP = ("training.optimizer=sgd", "training.clip_norm=null", "training.setbacks=12", "encoder={name: rnn, units: 16}")
KINDS = {"topics_config": (), "story_config": ("training.batch_size=24",)}


# Under JAX the larger of NaN and a number may be the number: max pooling gives that of padding, -1e9.
WRONG = {"tensorflow": "the loss is no longer a number", "jax": "the loss is more than 10 times what it was"}


@pytest.fixture(scope="module", params=WRONG)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def train(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks(tmp_path_factory.mktemp("forks"), backend) as starts:
        yield starts


def command(config: Path, *settings: str) -> list[str]:
    more = [part for setting in (*SHORT, *settings) for part in ("--set", setting)]
    return ["train", str(config), *more, "--json", "--no-report", "--resume", "--run-dir"]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def poisoned_config(topics_config: Path, tmp_path: Path) -> Path:
    """The config of topics, one text of which is `POISON` tokens long; all others are shorter."""
    rows = (topics_config.parent / "train.jsonl").read_text().splitlines()
    rows[POISONED_ROW] = json.dumps({"text": " ".join(["the"] * POISON), "label": "animal", "other": ""})
    (tmp_path / "train.jsonl").write_text("\n".join(rows))
    config = tmp_path / "topics.yaml"
    here = topics_config.read_text().replace(f"{topics_config.parent}/train", f"{tmp_path}/train")
    config.write_text(here.replace("name: lstm, units: 16, depth: 1", "name: poisoned, units: 16"))
    return config


def test_a_batch_that_no_rate_cures_is_kept_by_its_rows_and_ends_the_run(
    backend: str, train: Forks, poisoned_config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    plugin = Path(__file__).parents[1] / "support" / "poisoned.py"
    status = train(*command(poisoned_config, "training.setbacks=3"), run, "--plugin", plugin)
    assert status == 1
    assert WRONG[backend] in train.log
    assert "It diverged at lower learning rates too; setbacks: 3." in train.log
    kept = lines(run / "setbacks.jsonl")
    assert [line["learning_rate_times"] for line in kept] == [0.5, 0.25, 0.125]
    (step,) = {line["step"] for line in kept}
    (rows,) = {tuple(line["rows"]) for line in kept}
    assert POISONED_ROW in rows
    assert len(set(rows)) in (16, 32)  # the last batch of the 400 rows has 16
    (back,) = {line["went_back_to"] for line in kept}
    assert back == (step - 1) // 4 * 4
    found = Checkpoints(RunDirectory(run)).latest([].append)
    assert found is not None
    assert found.step == back
    assert all(np.isfinite(array).all() for array in found.arrays if array.dtype == np.float32)
    assert found.about["parts"]["setbacks"] == {"count": 3, "scale": 0.125}


def test_a_rate_that_is_too_high_is_halved_until_it_is_not_and_kills_change_nothing(
    train: Forks, topics_config: Path, tmp_path: Path
) -> None:
    arguments = command(topics_config, *STEEP, f"training.learning_rate={STEEP_RATE}")
    assert train(*arguments, tmp_path / "whole") == 0, train.log
    kept = lines(tmp_path / "whole" / "setbacks.jsonl")
    assert len(kept) >= 1
    assert [line["learning_rate_times"] for line in kept] == [0.5 ** (number + 1) for number in range(len(kept))]
    assert train.log.count("times the learning rate.") == len(kept)
    last = [line for line in lines(tmp_path / "whole" / "metrics.jsonl") if "epoch" not in line][-1]
    assert last["learning_rate"] == pytest.approx(STEEP_RATE * kept[-1]["learning_rate_times"])
    kills = ({"operation": operation} for operation in (60, 90))
    assert train.until_done(*arguments, tmp_path / "killed", kills=kills) == 2
    assert differing(*(what_a_run_ends_with(tmp_path / name) for name in ("whole", "killed"))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_signals_lose_nothing(kind: str, train: Forks, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    arguments = command(request.getfixturevalue(kind), *KINDS[kind], "encoder.dropout=0.2")
    assert train(*arguments, tmp_path / "whole") == 0, train.log
    for number in (signal.SIGTERM, signal.SIGINT):
        status = train(*arguments, tmp_path / "cut", event={"operation": 80, "number": int(number)})
        assert status == 128 + number, train.log
        assert f"{number.name}: ending after this step." in train.log
        assert "go on with the same command and --resume" in train.log
    assert train(*arguments, tmp_path / "cut") == 0, train.log
    assert differing(*(what_a_run_ends_with(tmp_path / name) for name in ("whole", "cut"))) == []
