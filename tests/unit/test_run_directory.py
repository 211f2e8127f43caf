"""Files that appear whole, and a run directory that loses nothing."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import numpy as np
import pytest

from textseq.errors import RunDirectoryError, RunFailedError
from textseq.files import append_line, explained, locked, replacing
from textseq.rundir import RunDirectory


def test_a_file_that_was_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as beside:
            beside.write_text("new")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with replacing(tmp_path / "folder") as beside:
            beside.mkdir()
            (beside / content).touch()
    assert os.listdir(tmp_path / "folder") == ["two"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_line_left_unfinished_by_a_crash_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": 1}\n{"b"')
    append_line(path, '{"c": 3}')
    assert path.read_text() == '{"a": 1}\n{"c": 3}\n'


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (OSError(errno.ENOSPC, "No space"), RunFailedError, "the disk is full"),
        (OSError("write failed: errno = 28, error message = 'No space left'"), RunFailedError, "the disk is full"),
        (PermissionError(errno.EACCES, "denied"), RunDirectoryError, "Choose a folder"),
        (OSError(errno.EIO, "Input/output error"), RunFailedError, "Input/output error"),
    ],
)
def test_what_the_system_says_becomes_a_sentence(error: OSError, kind: type[Exception], says: str) -> None:
    def fail() -> None:
        with explained(Path("runs/a/file")):
            raise error

    with pytest.raises(kind, match=f"runs/a/file: .*{says}"):
        fail()


def test_overwriting_deletes_the_runs_own_files_only(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    run.write_text("resolved.yaml", "name: a\n")
    run.write_text("metrics.jsonl", "")
    (run.path / "my-notes.txt").write_text("keep")
    RunDirectory.create(tmp_path / "run", overwrite=True)
    assert os.listdir(run.path) == ["my-notes.txt"]


def test_overwriting_deletes_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere = tmp_path / "large disk"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    run = tmp_path / "run"
    run.mkdir()
    (run / "resolved.yaml").write_text("")
    (run / "checkpoints").symlink_to(elsewhere)
    RunDirectory.create(run, overwrite=True)
    assert list(run.iterdir()) == []
    assert (elsewhere / "kept").is_file()


def test_looking_whether_a_place_is_free_changes_nothing(tmp_path: Path) -> None:
    RunDirectory(tmp_path / "a" / "b").refuse_if_taken(overwrite=False)
    assert not (tmp_path / "a").exists()


def test_numbers_of_every_kind_are_written_as_json(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    run.write_json("scores.json", {"a": np.float32(0.5), "b": np.arange(2), "c": math.nan, 3: Path("x")})
    assert run.read_json("scores.json") == {"a": 0.5, "b": [0, 1], "c": None, "3": "x"}


def test_lines_are_read_back_whole_ones_only(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    run.append_jsonl("metrics.jsonl", {"step": 1})
    with run.metrics.open("a") as file:
        file.write('{"step"')
    assert run.read_jsonl("metrics.jsonl") == [{"step": 1}]
    assert run.read_jsonl("nothing.jsonl") == []


def test_one_process_at_a_time_trains_in_a_directory(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(RunDirectoryError, match="another process trains here"), locked(tmp_path):
        pass
    with locked(tmp_path):  # it is free again
        pass
