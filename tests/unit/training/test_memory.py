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


def answer(program: str, **settings: str) -> int:
    """What a program prints, in an environment without other settings of memory than these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, env=clean | settings, check=True, capture_output=True, text=True).stdout)


def given_back(first: str, **settings: str) -> int:
    """Megabytes that leave the process when a large block is freed."""
    return answer(GIVE_BACK.format(first=first), **settings)


PRODUCTS = """
import resource
import time
from textseq.cli.options import begin
begin(backend="jax")
import jax
from jax import numpy as jnp

a, b, product = jnp.ones((4096, 16)), jnp.ones((16, 8000)), jax.jit(lambda a, b: a @ b)
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    product(a, b).block_until_ready()
    time.sleep(0.1)  # JAX frees a result a little after the last mention of it
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 4096 * 8000 * 4 // os.sysconf("SC_PAGE_SIZE")  # of the product


def pages_mapped(**settings: str) -> int:
    """Pages that a product's result, 125 MiB, takes from the system when the one before is free."""
    return answer(PRODUCTS, JAX_PLATFORMS="cpu", **settings)


glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")


@glibc_only
def test_a_large_block_that_is_freed_stays_with_the_process() -> None:
    assert given_back("") > 0.9 * MEGABYTES  # what glibc does if it is left alone
    assert given_back("assert keep_freed_memory('tensorflow')") < 0.1 * MEGABYTES


@glibc_only
@pytest.mark.parametrize(
    "setting", [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}]
)
def test_settings_of_the_user_are_left_alone(setting: dict[str, str]) -> None:
    assert given_back("assert not keep_freed_memory('tensorflow')", **setting) > 0.9 * MEGABYTES


@glibc_only
def test_jax_takes_its_blocks_again_though_no_arena_of_a_thread_has_room_for_them() -> None:
    pytest.importorskip("jax", reason="JAX is not installed")
    assert pages_mapped() < 0.1 * PAGES
    assert pages_mapped(MALLOC_TOP_PAD_="131072") > 0.9 * PAGES  # a user's own setting: ours is not made
