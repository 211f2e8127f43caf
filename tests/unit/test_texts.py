"""Texts from files, as other programs leave them."""

from __future__ import annotations

from pathlib import Path

import pytest

from textseq.cli.texts import read_texts
from textseq.config import DataConfig

ONE, PAIR = DataConfig("x"), DataConfig("x", text_pair="second")


@pytest.mark.parametrize(
    ("name", "content", "data", "texts"),
    [
        ("a.txt", b"one\ntwo\r\n\nthree", ONE, ["one", "two", "", "three"]),
        ("a.txt", b"\xef\xbb\xbfone\n", ONE, ["one"]),  # with the mark that Windows puts before
        ("a.txt", b"a\xffb\x0cc\xe2\x80\xa8d\n", ONE, ["a\ufffdb\x0cc\u2028d"]),  # only a line feed ends a line
        ("a.jsonl", b'\xef\xbb\xbf{"text": "one"}\n"two"\n', ONE, ["one", "two"]),
        ("a.txt", b"one\ttwo\tthree\n", PAIR, [("one", "two\tthree")]),
        ("my texts.jsonl", b'{"text": "one", "second": "two"}', PAIR, [("one", "two")]),
    ],
)
def test_lines_are_texts(name: str, content: bytes, data: DataConfig, texts: list[object], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert list(read_texts((), str(tmp_path / name), data)) == texts
