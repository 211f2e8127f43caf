"""What a machine's failures become: one sentence with the way on, and nothing else is touched."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from textseq.config import RunConfig, load_config
from textseq.errors import RunFailedError, is_out_of_memory
from textseq.files import explained
from textseq.rundir import RunDirectory
from textseq.training.checkpoints.folder import Checkpoints
from textseq.training.faults import with_a_way_on


class ResourceExhaustedError(Exception):
    """Is called as TensorFlow's."""


class JaxRuntimeError(RuntimeError):
    """Is called as JAX's."""


SHORT_OF_MEMORY = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    ResourceExhaustedError("OOM when allocating tensor with shape[20,1600,2048]"),
    JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1048576 bytes."),
]
OTHERS = [ValueError("shapes do not fit"), OSError(errno.EIO, "Input/output error"), JaxRuntimeError("INTERNAL: bad")]


@pytest.fixture
def config(topics_config: Path) -> RunConfig:
    return load_config(topics_config)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(RunDirectory(tmp_path))


def fail(error: Exception, config: RunConfig, checkpoints: Checkpoints) -> None:
    with with_a_way_on(config, checkpoints):
        raise error


@pytest.mark.parametrize("error", SHORT_OF_MEMORY, ids=repr)
def test_memory_at_its_end_names_the_batch_and_the_ways_out(
    error: Exception, config: RunConfig, checkpoints: Checkpoints
) -> None:
    assert is_out_of_memory(error)
    says = (
        r"^training\.batch_size: memory is at its end\. Received: 32\. There is no checkpoint yet: .* --resume\. .*auto"
    )
    with pytest.raises(RunFailedError, match=says):
        fail(error, config, checkpoints)
    checkpoints.write({"step": 5, "regular": True}, [])
    with pytest.raises(RunFailedError, match="The last checkpoint is whole: when more memory is free, go on with"):
        fail(error, config, checkpoints)


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_what_is_neither_memory_nor_a_file_of_the_run_passes_unchanged(
    error: Exception, config: RunConfig, checkpoints: Checkpoints
) -> None:
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)) as found:
        fail(error, config, checkpoints)
    assert found.value is error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_written_fails_the_run_and_says_how_to_go_on(
    number: int, config: RunConfig, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    def write() -> None:
        with with_a_way_on(config, checkpoints), explained(tmp_path / "metrics.jsonl"):
            raise OSError(number, "as the system calls it")

    checkpoints.write({"step": 5, "regular": True}, [])
    says = (
        r"metrics\.jsonl: cannot be written.* The last checkpoint is whole: when that is mended, go on with --resume\.$"
    )
    with pytest.raises(RunFailedError, match=says) as found:
        write()
    assert found.value.exit_code == 1
