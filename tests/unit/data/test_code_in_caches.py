"""Tokens are cached; who changes a tokenizer's code gets what the new code gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from textseq.config import Component, DataConfig
from textseq.data.encoded import encode_column
from textseq.data.tokenizers.base import code_hash
from textseq.data.tokenizers.training import fit_tokenizer
from textseq.plugins import load_plugin
from textseq.registry import tokenizers

SOURCE = """
from textseq.data.tokenizers.bytes import BytesTokenizer
from textseq.registry import tokenizers

@tokenizers.register("cut_bytes")
class CutBytes(BytesTokenizer):
    registered_name = "cut_bytes"

    def encode(self, texts):
        return super().encode([text[:KEPT] for text in texts])
"""


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns what loads a version of the plugin as another process would: in the place of the one before."""
    monkeypatch.setattr(tokenizers, "_classes", dict(tokenizers._classes))

    def load(file: Path, kept: int) -> Any:
        tokenizers._classes.pop("cut_bytes", None)
        file.parent.mkdir(exist_ok=True)
        file.write_text(SOURCE.replace("KEPT", str(kept)))
        load_plugin(file)
        return fit_tokenizer(Component("cut_bytes"), rows(), DataConfig(path="made"), 0)

    return load


def rows() -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": ["some text", "and another"]})


def test_changed_code_is_not_answered_from_the_cache(tmp_path: Path, loaded: Any) -> None:
    lengths = []
    for version, kept in enumerate((3, 5)):
        tokenizer = loaded(tmp_path / str(version) / "cut_bytes.py", kept)
        lengths.append(encode_column(rows(), "text", tokenizer).lengths.tolist())
    assert lengths == [[3, 3], [5, 5]]


def test_the_hash_is_that_of_the_class_and_of_its_bases(tmp_path: Path, loaded: Any) -> None:
    one, other = (loaded(tmp_path / name / "cut_bytes.py", kept) for name, kept in (("a", 3), ("b", 5)))
    same = loaded(tmp_path / "c" / "cut_bytes.py", 3)
    assert code_hash(one) == code_hash(same) != code_hash(other)
    assert code_hash(tokenizers.get("bytes")()) != code_hash(tokenizers.get("words")())
