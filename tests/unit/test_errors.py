"""Errors of others, recognised."""

from __future__ import annotations

import pytest

from textseq.errors import is_out_of_memory


class ResourceExhaustedError(Exception):
    """TensorFlow's, by its name."""


class JaxRuntimeError(RuntimeError):
    """JAX's, which its words alone tell from others."""


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (ResourceExhaustedError("OOM when allocating tensor with shape[9]"), True),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 281474976710656 bytes."), True),
        (JaxRuntimeError("INVALID_ARGUMENT: Executable expected shape f32[2]"), False),
        (ValueError("resources"), False),
    ],
)
def test_memory_at_its_end_is_known_by_each_backends_words(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) == is_memory
