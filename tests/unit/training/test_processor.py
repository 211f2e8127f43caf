"""When a training, or a command under JAX, takes wide vectors, and one thread for each direction of a recurrence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from textseq.config import Component, DataConfig, RunConfig
from textseq.training import processor
from textseq.training.processor import share_cores, use_wide_vectors

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow's settings", allow_module_level=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "--xla_cpu_prefer_vector_width=512"),
        ("--xla_dump_to=here", "--xla_dump_to=here --xla_cpu_prefer_vector_width=512"),
        ("--xla_cpu_prefer_vector_width=256", "--xla_cpu_prefer_vector_width=256"),
    ],
)
def test_wide_vectors_are_asked_for_unless_the_user_has_a_wish(
    before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", before)
    use_wide_vectors()
    assert os.environ["XLA_FLAGS"] == after


COMPILED = """
from textseq.cli.options import begin
begin(backend="jax")
from keras import ops
ops.tanh(ops.ones(1000)).block_until_ready()
"""


@pytest.mark.parametrize(("wish", "width"), [("", "512"), ("--xla_cpu_prefer_vector_width=256", "256")])
def test_under_jax_commands_compile_for_wide_vectors_unless_the_user_has_a_wish(
    wish: str, width: str, tmp_path: Path
) -> None:
    pytest.importorskip("jax", reason="JAX is not installed")
    flags = {"XLA_FLAGS": f"--xla_dump_to={tmp_path} {wish}", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", COMPILED], env=os.environ | flags, check=True, capture_output=True)
    written = "".join(path.read_text() for path in tmp_path.glob("*.ll"))
    assert set(re.findall(r'"prefer-vector-width"="(\d+)"', written)) == {width}


@pytest.mark.parametrize(
    ("encoder", "settings", "causal", "cores", "threads", "expected"),
    [
        ("lstm", {}, False, 2, None, True),
        ("gru", {"causal": False}, True, 2, None, True),
        ("lstm", {"causal": True}, False, 2, None, False),
        ("lstm", {}, True, 2, None, False),
        ("transformer", {}, False, 2, None, False),
        ("lstm", {}, False, 4, None, False),
        ("lstm", {}, False, 2, "2", False),
    ],
)
def test_two_directions_get_a_core_each(
    encoder: str,
    settings: dict[str, Any],
    causal: bool,
    cores: int,
    threads: str | None,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tensorflow as tf

    asked: list[int] = []
    monkeypatch.setattr(processor, "_cores", lambda: cores)
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", asked.append)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if threads:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", threads)
    assert share_cores(_config(encoder, settings), causal=causal) is expected
    assert asked == ([1] if expected else [])


def test_what_has_started_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    keras.ops.ones(2)
    before = tf.config.threading.get_intra_op_parallelism_threads()  # 1 where a training in this process began with it
    monkeypatch.setattr(processor, "_cores", lambda: 2)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    assert share_cores(_config("lstm", {}), causal=False) is (before == 1)
    assert tf.config.threading.get_intra_op_parallelism_threads() == before


def _config(encoder: str, settings: dict[str, Any]) -> RunConfig:
    return RunConfig(
        name="x",
        data=DataConfig(path="x"),
        encoder=Component(encoder, {"units": 8, **settings}),
        task=Component("classification"),
    )
