"""`training.batch_size: auto`: found once, written down, and refused with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main
from textseq.config import load_config
from textseq.errors import UsageError
from textseq.training import batch_size
from textseq.training.batch_size import resolved

LARGE = ("encoder.units=128", "embedding.units=128", "training.batch_size=auto")


def never(*arguments: Any) -> None:
    raise AssertionError("nothing is to be tried")


def test_the_largest_that_fits_is_found_between_coarse_steps(
    topics_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def tried(config: Any, budget: int, sizes: list[int], plugins: Any) -> Any:
        asked.extend(sizes)
        taken = [(rows, 500_000_000 + rows * 1_000_000) for rows in sizes]
        return batch_size._Trials([one for one in taken if one[1] <= budget], budget + 1)

    monkeypatch.setattr(batch_size, "_tried", tried)
    said: list[str] = []
    config = load_config(topics_config, ["training.batch_size=auto", "training.memory_budget=550MB"])
    found = resolved(config, said.append, processes=3)
    assert found.training.rows == 48 * 3  # 64 rows would take 564 MB, and 48 take 548
    assert said[-1] == "training.batch_size: 144, for 48 rows in each of 3 processes take 548MB"
    assert asked[-3:] == [24, 32, 48]


def test_a_number_is_left_alone(topics_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_size, "_tried", never)
    config = load_config(topics_config)
    assert resolved(config, never) is config


def test_a_config_whose_rows_are_not_found_yet_says_so(topics_config: Path) -> None:
    training = load_config(topics_config, ["training.batch_size=auto"]).training
    with pytest.raises(UsageError, match=r"training\.batch_size: is no number yet"):
        _ = training.rows


def test_a_budget_in_which_nothing_fits_is_refused(
    topics_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ("--set", "training.batch_size=auto", "--set", "training.memory_budget=50MB")
    with pytest.raises(SystemExit) as ended:
        main(["train", str(topics_config), "--run-dir", str(tmp_path / "run"), *sets])
    assert ended.value.code == 2
    assert "training.memory_budget: a batch of one row takes" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_trains_on_what_was_found_and_writes_it_down(
    story_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [part for setting in (*LARGE, "training.epochs=1") for part in ("--set", setting)]
    with pytest.raises(SystemExit) as ended:
        main(["train", str(story_config), "--run-dir", str(tmp_path / "run"), "--no-report", *sets])
    assert ended.value.code == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("training.batch_size: ")]
    found = load_config(tmp_path / "run" / "resolved.yaml").training.batch_size
    assert isinstance(found, int)
    assert found > 1
    assert line.startswith(f"training.batch_size: {found}, for {found} rows take ")
