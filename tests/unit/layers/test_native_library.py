"""The loops are compiled once, kept, and where that cannot be it is said why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import pytest

from textseq.layers.native.library import Unavailable, compiler, has_to_compile, library
from textseq.layers.native.operations import refusal

BACKEND = keras.backend.backend()


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache of the test's own, and none of the process's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.fixture
def compiles_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function of a shell script that becomes the compiler; returns a file with a line for each of its calls."""

    def become(script: str) -> Path:
        calls, program = tmp_path / "calls", tmp_path / "compiler"
        version = '[ "$1" = --version ] && echo 1.0 && exit'
        program.write_text(f'#!/bin/sh\n{version}\necho "$@" >> {calls}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("CXX", str(program))
        return calls

    return become


def test_they_are_compiled_once_and_kept(compiles_by: Callable[[str], Path], tmp_path: Path) -> None:
    calls = compiles_by('while [ "$1" != -o ]; do shift; done; echo made > "$2"')
    assert has_to_compile(BACKEND)
    made = library(BACKEND)
    assert made.read_text() == "made\n"
    assert made.parent == tmp_path / "cache" / "textseq"
    assert list(made.parent.iterdir()) == [made]  # nothing half done beside it
    library.cache_clear()
    assert not has_to_compile(BACKEND)
    assert library(BACKEND) == made
    assert len(calls.read_text().splitlines()) == 1


def test_another_compiler_compiles_anew(compiles_by: Callable[[str], Path], tmp_path: Path) -> None:
    compiles_by('while [ "$1" != -o ]; do shift; done; echo made > "$2"')
    first = library(BACKEND)
    library.cache_clear()
    program = tmp_path / "compiler"
    program.write_text(program.read_text().replace("echo 1.0", "echo 2.0"))
    assert library(BACKEND) != first


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler() is None
    assert not has_to_compile(BACKEND)
    with pytest.raises(Unavailable, match=r"^there is no C\+\+ compiler \(g\+\+, clang\+\+, or one that CXX names\)$"):
        library(BACKEND)


def test_a_compiler_that_fails_is_quoted(compiles_by: Callable[[str], Path]) -> None:
    compiles_by('echo "In file included from here" >&2; echo "fatal error: no such header" >&2; exit 1')
    with pytest.raises(Unavailable, match=r"compiler does not compile it: fatal error: no such header$"):
        library(BACKEND)


def test_a_cache_that_is_a_file_is_named(compiles_by: Callable[[str], Path], tmp_path: Path) -> None:
    compiles_by("exit 0")
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(Unavailable, match=r"cannot be compiled into .*textseq: Not a directory"):
        library(BACKEND)


def test_float64_is_refused() -> None:
    assert refusal("float64") == "they take float32 and bfloat16, not float64 (training.precision)"
