"""Bytes of UTF-8: nothing to learn, nothing unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from textseq.data.tokenizers.base import SPECIAL_TOKENS, Tokenizer
from textseq.registry import tokenizers

_FIRST_BYTE_ID = len(SPECIAL_TOKENS)


@tokenizers.register("bytes")
class BytesTokenizer(Tokenizer):
    """One id a byte: 256 after the four special ones."""

    registered_name: ClassVar[str] = "bytes"

    def __init__(self) -> None:
        """Takes nothing."""

    @property
    def vocabulary_size(self) -> int:
        """260."""
        return _FIRST_BYTE_ID + 256

    def fit(self, texts: Iterable[str], seed: int = 0) -> None:
        """Learns nothing."""

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Returns the ids of each text; lone surrogates count as '?'."""
        return [
            np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.uint16) + _FIRST_BYTE_ID
            for text in texts
        ]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Returns the text of each row; bytes that are no UTF-8 become U+FFFD."""
        rows = (np.asarray(row, np.int64) for row in ids)
        return [
            (row[row >= _FIRST_BYTE_ID] - _FIRST_BYTE_ID).astype(np.uint8).tobytes().decode("utf-8", "replace")
            for row in rows
        ]

    def graph_encoder(self) -> Any:
        """Returns `encode` for TensorFlow graphs."""
        from textseq.data.tokenizers.graph.bytes import encode_bytes

        return lambda texts: encode_bytes(texts, _FIRST_BYTE_ID)

    def graph_decoder(self) -> Any:
        """Returns `decode` for TensorFlow graphs."""
        from textseq.data.tokenizers.graph.bytes import decode_bytes

        return lambda token_ids: decode_bytes(token_ids, _FIRST_BYTE_ID)

    def learned(self) -> bytes:
        """Returns nothing."""
        return b""

    def restore(self, learned: bytes) -> None:
        """Takes nothing."""
