"""Trainings whose disk fills up or turns read-only, or whose memory comes to an end: none loses its run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killed_runs import Forks, differing, forks, has_own_disks, what_a_run_ends_with

SETTINGS = ("training.epochs=2", "training.log_every=2", "training.checkpoint_every=3", "encoder.units=8")
STORY = ("training.batch_size=24",)
KINDS = {"topics_config": (), "story_config": STORY}
OPERATIONS = 200  # of the 225 or so that such a run does to its files
# What happens to the disk, how that is mended, and what the user is told.
FAULTS = {
    "full": ("head -c 9M /dev/zero > filler || true", "rm filler", "cannot be written, for the disk is full"),
    "read-only": ("mount -o remount,ro .", "mount -o remount,rw .", "Read-only file system"),
}
UNFORESEEN = "TEXTSEQ_DEBUG"  # stands in what the last net says


class Machine:
    """Trainings on a disk of their own that fails.

    Args:
        train: Starts them.
        disk: Where.
        config: What is trained.
        settings: Changes to it.
    """

    def __init__(self, train: Forks, disk: Path, config: Path, settings: tuple[str, ...]) -> None:
        self.train, self.disk = train, disk
        more = [part for setting in settings for part in ("--set", setting)]
        self.arguments = ["train", str(config), *more, "--quiet", "--json", "--no-report", "--resume", "--run-dir"]
        assert train(*self.arguments, disk / "whole") == 0, train.log
        self.whole = what_a_run_ends_with(train.seen(disk / "whole"))

    def at(self, line: str) -> str:
        """Returns a line of shell that works on the disk."""
        return f"cd {self.disk} && {line}"

    def fail(self, fault: str, operation: int) -> tuple[int, list[str]]:
        """Lets the disk fail before an operation on a run's files, mends it, and goes on.

        Returns:
            What the failed training exited with, and what of the run differs in the end from one that never failed.
        """
        breaks, mends, says = FAULTS[fault]
        run = self.disk / "run"
        status = self.train(*self.arguments, run, event={"operation": operation, "command": self.at(breaks)})
        log = self.train.log
        self.train.shell(self.at(mends))
        if status:
            last = log.rstrip().splitlines()[-1]
            assert last.startswith("Error: "), log
            assert says in last, log
            assert UNFORESEEN not in log, log
            assert "Traceback" not in log, log
        begun = (self.train.seen(run) / "checkpoints").is_dir()
        assert status in ((0, 1) if begun else (1, 2)), log
        assert ("go on with --resume" in log) == (begun and status > 0), log
        assert self.train(*self.arguments, run) == 0, self.train.log
        differ = differing(self.whole, what_a_run_ends_with(self.train.seen(run)))
        self.train.shell(self.at("rm -r run"))
        return status, differ


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not has_own_disks():
        pytest.skip("only an administrator of Linux may give processes a disk of their own")
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def machine(disk: Path, topics_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with forks(tmp_path_factory.mktemp("forks"), disk=disk) as train:
        yield Machine(train, disk, topics_config, SETTINGS)


@pytest.mark.parametrize(("fault", "operation"), [("full", 90), ("read-only", 75)])
def test_a_disk_that_fails_ends_the_run_and_it_goes_on(fault: str, operation: int, machine: Machine) -> None:
    assert machine.fail(fault, operation) == (1, [])


def test_a_read_only_folder_is_refused_before_any_work(machine: Machine) -> None:
    train, arguments = machine.train, [one for one in machine.arguments if one != "--quiet"]
    broken = [*arguments, machine.disk / "broken"]
    train(*broken, event={"operation": 90, "command": "kill -KILL $PPID"})
    seen = train.seen(machine.disk)
    before = sorted((path, path.stat().st_mtime_ns) for path in seen.rglob("*"))
    train.shell(machine.at(FAULTS["read-only"][0]))
    for run in ("new", "broken"):
        assert train(*arguments, machine.disk / run) == 2
        assert "may not be written to" in train.log
        assert "Reading" not in train.log
    assert train(*arguments, machine.disk / "whole") == 0
    assert "this run is finished" in train.log
    train.shell(machine.at(FAULTS["read-only"][1]))
    assert sorted((path, path.stat().st_mtime_ns) for path in seen.rglob("*")) == before
    assert train(*broken) == 0, train.log


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_whenever_the_disk_fails_the_run_ends_as_one_that_never_did(
    backend: str, kind: str, disk: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    generator = random.Random(f"{backend} {kind}")
    with forks(tmp_path, backend, disk) as train:
        machine = Machine(train, disk, request.getfixturevalue(kind), (*SETTINGS, *KINDS[kind]))
        for fault in FAULTS:
            failed = 0
            for operation in [1, 2, 3, *generator.sample(range(4, OPERATIONS), 7)]:
                status, differ = machine.fail(fault, operation)
                assert differ == [], f"{fault} at operation {operation}"
                failed += status > 0
            assert failed >= 8, fault  # of ten; a full disk may still take the last few lines


@pytest.fixture
def one_long_row(topics_config: Path, tmp_path: Path) -> Path:
    """A config one of whose 200 rows is a hundred times as long as the others, so that its batch takes 400 MB."""
    folder = topics_config.parent
    for split, rows in (("train", 200), ("validation", 20), ("test", 20)):
        (tmp_path / f"{split}.jsonl").write_text("\n".join((folder / f"{split}.jsonl").read_text().split("\n")[:rows]))
    lines = (tmp_path / "train.jsonl").read_text().split("\n")
    lines[77] = f'{{"text": "{"cat " * 1600}", "label": "animal", "other": ""}}'
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    config = tmp_path / "topics.yaml"
    config.write_text(topics_config.read_text().replace(str(folder), str(tmp_path)))
    return config


LARGE: dict[str, Any] = {"embedding.units": 2048, "encoder.units": 4, "task.max_length": 2000, "training.epochs": 2}
LARGE |= {"training.batch_size": 20, "training.log_every": 1, "training.checkpoint_every": 2}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_batch_that_memory_does_not_take_ends_the_run_and_it_goes_on(
    backend: str, one_long_row: Path, tmp_path: Path
) -> None:
    settings = [part for name, value in LARGE.items() for part in ("--set", f"{name}={value}")]
    command = ["train", one_long_row, *settings, "--quiet", "--json", "--no-report", "--resume", "--run-dir"]
    with forks(tmp_path, backend) as train:
        assert train(*command, tmp_path / "whole") == 0, train.log
        # All threads have their memory by then, and the long row has not been yet.
        status = train(*command, tmp_path / "cut", event={"operation": 90, "memory": 250_000_000})
        assert status == 1, train.log
        assert "training.batch_size: memory is at its end. Received: 20." in train.log
        assert "go on with --resume" in train.log
        assert UNFORESEEN not in train.log
        assert train(*command, tmp_path / "cut") == 0, train.log
    assert differing(*(what_a_run_ends_with(tmp_path / name) for name in ("whole", "cut"))) == []
