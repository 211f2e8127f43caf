"""The folder of checkpoints: which stay, which is used, and what a run's files are afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from textseq.errors import RunFailedError
from textseq.rundir import RunDirectory
from textseq.training.checkpoints.folder import Checkpoints


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def write(checkpoints: Checkpoints, *steps: int, regular: bool = True) -> None:
    for step in steps:
        checkpoints.run.weights.unlink(missing_ok=True)
        checkpoints.run.weights.write_text(f"best at {step}")
        checkpoints.write({"step": step, "regular": regular}, [np.full(3, step, np.float32)])


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def names(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in run.checkpoints.iterdir())


def test_the_last_few_stay_each_with_the_best_weights_of_its_time(run: RunDirectory) -> None:
    write(Checkpoints(run, keep=2), 5, 10, 15)
    kept = ["step-000000000010", "step-000000000015"]
    assert names(run) == sorted([*kept, *(f"{name}.weights.h5" for name in kept)])
    assert (run.checkpoints / "step-000000000010.weights.h5").read_text() == "best at 10"
    assert run.weights.read_text() == "best at 15"


def test_the_last_regular_one_stays_until_the_next(run: RunDirectory) -> None:
    checkpoints = Checkpoints(run, keep=1)
    write(checkpoints, 5)
    write(checkpoints, 6, 7, regular=False)
    assert checkpoints.steps() == [5, 7]
    assert checkpoints.last_regular([].append).step == 5
    again = Checkpoints(run, keep=1)
    last = again.latest([].append)
    assert last.step == 7
    again.put_back(last)
    assert again.last_regular([].append).step == 5
    write(again, 8)
    assert again.steps() == [8]


@pytest.mark.parametrize("ending", ["", ".weights.h5"])
def test_a_damaged_one_is_named_and_the_one_before_is_used(ending: str, run: RunDirectory) -> None:
    write(Checkpoints(run, keep=3), 5, 10, 15)
    spoil(run.checkpoints / f"step-000000000015{ending}")
    said: list[str] = []
    found = Checkpoints(run).latest(said.append)
    assert found.step == 10
    assert found.arrays[0].tolist() == [10.0, 10.0, 10.0]
    assert len(said) == 1
    assert f"step-000000000015{ending}: is damaged" in said[0]
    assert said[0].endswith("The one before it is used.")


def test_half_a_file_beside_is_no_checkpoint(run: RunDirectory) -> None:
    write(Checkpoints(run), 5)
    (run.checkpoints / ".123.step-000000000010").write_bytes(b"half")
    assert Checkpoints(run).latest([].append).step == 5
    run.clear_leftovers()
    assert names(run) == ["step-000000000005", "step-000000000005.weights.h5"]


def test_damaged_ones_are_never_what_stays(run: RunDirectory) -> None:
    write(Checkpoints(run, keep=2), 5, 10)
    spoil(run.checkpoints / "step-000000000010")
    again = Checkpoints(run, keep=1)
    found = again.latest([].append)
    again.put_back(found)
    again.forget_after(found.step)
    write(again, 7)
    assert again.latest([].append).step == 7


def test_where_all_are_damaged_nothing_is_thrown_away(run: RunDirectory) -> None:
    write(Checkpoints(run), 5, 10)
    for step in (5, 10):
        spoil(run.checkpoints / f"step-{step:012d}")
    before = names(run)
    with pytest.raises(RunFailedError, match="every checkpoint is damaged"):
        Checkpoints(run).latest([].append)
    assert names(run) == before


def test_putting_back_makes_weights_and_logs_what_they_were(run: RunDirectory) -> None:
    checkpoints = Checkpoints(run)
    run.append_jsonl("metrics.jsonl", {"step": 5})
    write(checkpoints, 5)
    then = run.metrics.read_bytes()
    run.append_jsonl("metrics.jsonl", {"step": 6})
    (run.path / "epochs.csv").write_text("epoch\n0\n")
    run.weights.unlink()
    run.weights.write_text("best at 6")
    checkpoints.put_back(checkpoints.latest([].append))
    assert run.metrics.read_bytes() == then
    assert (run.path / "epochs.csv").read_text() == ""
    assert run.weights.read_text() == "best at 5"
    checkpoints.put_back(checkpoints.latest([].append))  # twice, as after a second kill
    assert run.weights.read_text() == "best at 5"


def test_before_the_first_epochs_end_there_are_no_best_weights(run: RunDirectory) -> None:
    checkpoints = Checkpoints(run)
    checkpoints.write({"step": 0, "regular": True}, [])
    run.weights.write_text("best at 6")
    checkpoints.put_back(checkpoints.latest([].append))
    assert not run.weights.exists()


def test_a_run_without_checkpoints_has_none(run: RunDirectory) -> None:
    assert Checkpoints(run).latest([].append) is None
