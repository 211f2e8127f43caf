"""What is freed stays with a training process; asked of processes of their own, for the setting cannot be undone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

MEGABYTES = 200
GIVE_BACK = f"""
import numpy as np
from textseq.training.memory import keep_freed_memory, resident_bytes
{{first}}
block = np.ones({MEGABYTES} * 2**20, np.uint8)
held = resident_bytes()
del block
print((held - resident_bytes()) // 2**20)
"""


def given_back(first: str, **settings: str) -> int:
    """Megabytes that leave the process when a large block is freed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    command = [sys.executable, "-c", GIVE_BACK.format(first=first)]
    return int(subprocess.run(command, env=clean | settings, check=True, capture_output=True, text=True).stdout)


glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


@glibc_only
def test_a_large_block_that_is_freed_stays_with_the_process() -> None:
    assert given_back("") > 0.9 * MEGABYTES  # what glibc does if it is left alone
    assert given_back("assert keep_freed_memory()") < 0.1 * MEGABYTES


@glibc_only
@pytest.mark.parametrize(
    "setting", [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}]
)
def test_settings_of_the_user_are_left_alone(setting: dict[str, str]) -> None:
    assert given_back("assert not keep_freed_memory()", **setting) > 0.9 * MEGABYTES
