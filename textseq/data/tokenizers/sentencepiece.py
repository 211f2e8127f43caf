"""SentencePiece: unigram, BPE and characters, with byte fallback.

Sources: Kudo & Richardson 2018, https://arxiv.org/abs/1808.06226; Kudo 2018 (subword sampling),
https://arxiv.org/abs/1804.10959; Provilkov et al. 2020 (BPE dropout), https://arxiv.org/abs/1910.13267.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from textseq.data.tokenizers.base import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer, require_fitted
from textseq.data.tokenizers.subwords import MergeSampler, Pieces, Sampler, UnigramSampler, sample
from textseq.errors import DataError, UsageError, problem
from textseq.registry import tokenizers

_LONGEST_SENTENCE_BYTES = 16_384
_SAME_SCORE = 1e-4  # nats: sums of float32 in another order


@tokenizers.register("sentencepiece")
class SentencePieceTokenizer(Tokenizer):
    """Pieces of words, learned from the train split.

    Args:
        vocabulary_size: Ids in all; fewer where the texts do not give as many.
        model: "unigram", "bpe" or "char".
        byte_fallback: Whether characters never seen are spelled in bytes rather than unknown.
        normalization: How text is made uniform first; those with "cf" fold upper case. "identity" keeps everything,
            newlines and repeated spaces too, which a language model measured in bits per byte wants.
        character_coverage: Fraction of the characters that get an id of their own.
        sampling: Strength of subword sampling in training, 0 for none: the smoothing of the unigram model's
            distribution (0.1 to 0.5 is usual), or BPE's dropout.
        max_bytes: Bytes of text at most that the vocabulary is learned from; from the first texts on.

    Raises:
        UsageError: Sampling of characters.
    """

    registered_name: ClassVar[str] = "sentencepiece"

    def __init__(
        self,
        vocabulary_size: int = 8000,
        *,
        model: Literal["unigram", "bpe", "char"] = "unigram",
        byte_fallback: bool = True,
        normalization: Literal["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity"] = "nmt_nfkc",
        character_coverage: float = 0.9995,
        sampling: float = 0.0,
        max_bytes: int = 20_000_000,
    ) -> None:
        if sampling and model == "char":
            wrong = "must be 0 with model: char, for a text has one segmentation into characters"
            way_out = "Set tokenizer.model to unigram or bpe to train on several"
            raise UsageError(problem("tokenizer.sampling", wrong, received=sampling, way_out=way_out))
        self._wanted = vocabulary_size
        self.model = model
        self.byte_fallback = byte_fallback
        self.normalization = normalization
        self.character_coverage = character_coverage
        self.sampling = sampling
        self.max_bytes = max_bytes
        self._processor: Any = None
        self._learned = b""
        self._sampler: tuple[Pieces, Sampler] | None = None

    @property
    def vocabulary_size(self) -> int:
        """Number of ids; before fitting, how many are wanted."""
        return self._wanted if self._processor is None else int(self._processor.vocab_size())

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("model", "byte_fallback", "normalization", "character_coverage", "sampling", "max_bytes")
        return {"vocabulary_size": self._wanted, **{name: getattr(self, name) for name in names}}

    @property
    def samples(self) -> bool:
        """Whether training sees random segmentations."""
        return self.sampling > 0

    def fit(self, texts: Iterable[str], seed: int = 0) -> None:
        """Learns the pieces; the same texts always give the same pieces.

        Raises:
            DataError: There is no text, or too little for a vocabulary.
        """
        import sentencepiece

        writer = io.BytesIO()
        keep_all = self.normalization == "identity"
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=self._lines(texts, keep_all),
                model_writer=writer,
                vocab_size=self._wanted,
                model_type=self.model,
                byte_fallback=self.byte_fallback and self.model != "char",
                normalization_rule_name=self.normalization,
                character_coverage=self.character_coverage,
                pad_id=PAD_ID,
                unk_id=UNKNOWN_ID,
                bos_id=START_ID,
                eos_id=END_ID,
                hard_vocab_limit=False,
                max_sentence_length=_LONGEST_SENTENCE_BYTES,
                user_defined_symbols=["\n"] if keep_all else [],
                remove_extra_whitespaces=not keep_all,
                add_dummy_prefix=not keep_all,
                allow_whitespace_only_pieces=keep_all,
                num_threads=1,
                minloglevel=4,
            )
        except (RuntimeError, OSError) as error:
            raise DataError(
                problem(
                    "tokenizer",
                    f"SentencePiece cannot learn from the train split ({_reason(error)})",
                    way_out="Give it more text, or a smaller tokenizer.vocabulary_size",
                )
            ) from error
        self.restore(writer.getvalue())

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Returns the ids of each text."""
        require_fitted(self._processor, "sentencepiece")
        ids: list[Any] = self._processor.encode([_valid(text) for text in texts], out_type=int, num_threads=1)
        return ids

    def encode_sampled(self, texts: Sequence[str], generator: np.random.Generator) -> list[Any]:
        """Returns the ids of one random segmentation of each text.

        Drawn from all segmentations by the unigram model, by BPE with merges left out; what `generator` was seeded with
        decides, in every process alike.
        """
        require_fitted(self._processor, "sentencepiece")
        if not self.samples or self.model == "char":
            return self.encode(texts)
        if self._sampler is None:
            pieces = Pieces(self._processor)
            kind = UnigramSampler if self.model == "unigram" else MergeSampler
            self._sampler = (pieces, kind(pieces, self.sampling))
        pieces, sampler = self._sampler
        return sample([_valid(text) for text in texts], pieces, sampler, generator)

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Returns the text of each row of ids."""
        require_fitted(self._processor, "sentencepiece")
        rows = [[int(token) for token in row if token > END_ID or token == UNKNOWN_ID] for row in ids]
        texts: list[str] = [self._processor.decode(row) if row else "" for row in rows]
        return texts

    def unknown_bytes(self, texts: Sequence[str]) -> list[int]:
        """Returns how many bytes of each text the unknown id stands for; none with byte fallback."""
        if self.byte_fallback and self.model != "char":
            return [0] * len(texts)
        return [
            self._surfaces(text) if UNKNOWN_ID in ids else 0
            for text, ids in zip(texts, self.encode(texts), strict=True)
        ]

    def graph_encoder(self) -> Any:
        """Returns `encode` for TensorFlow graphs."""
        from textseq.data.tokenizers.graph.sentencepiece import encode_pieces

        require_fitted(self._processor, "sentencepiece")
        return lambda texts: encode_pieces(texts, self._learned)

    def graph_decoder(self) -> Any:
        """Returns `decode` for TensorFlow graphs."""
        from textseq.data.tokenizers.graph.sentencepiece import decode_pieces

        require_fitted(self._processor, "sentencepiece")
        return lambda token_ids: decode_pieces(token_ids, self._learned)

    def equally_likely(self, first: Sequence[int], second: Sequence[int]) -> bool:
        """Whether the unigram model gives both cuts of one text the same likelihood; versions of it then differ."""
        if self.model != "unigram" or self.decode([first]) != self.decode([second]):
            return False
        differing = _without_common_ends(list(map(int, first)), list(map(int, second)))
        scores = [sum(self._processor.get_score(token) for token in row) for row in differing]
        return abs(scores[0] - scores[1]) <= _SAME_SCORE

    def learned(self) -> bytes:
        """Returns SentencePiece's own model file."""
        return self._learned

    def restore(self, learned: bytes) -> None:
        """Takes SentencePiece's own model file."""
        import sentencepiece

        self._learned, self._sampler = learned, None
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=learned)

    def _lines(self, texts: Iterable[str], keep_all: bool) -> Iterator[str]:
        """Yields the texts in the short lines that SentencePiece learns from, up to `max_bytes`."""
        left = self.max_bytes
        for text in texts:
            for line in text.split("\n"):
                for part in _parts(line if keep_all else line.strip()):
                    left -= len(part.encode("utf-8", "replace"))
                    yield _valid(part)
            if left <= 0:
                return

    def _surfaces(self, text: str) -> int:
        ids = self._processor.encode(text, out_type=int)
        pieces = self._processor.encode(text, out_type=str)  # an unknown piece is the text itself
        unknown = (piece for piece, token in zip(pieces, ids, strict=True) if token == UNKNOWN_ID)
        return sum(len(piece.replace("▁", " ").encode()) for piece in unknown)


def _parts(line: str) -> Iterator[str]:
    """Yields a line in parts short enough for SentencePiece, cut at spaces where there are any."""
    limit = _LONGEST_SENTENCE_BYTES // 4  # a character has at most four bytes
    while len(line) > limit:
        cut = line.rfind(" ", limit // 2, limit)
        cut = limit if cut < 0 else cut
        yield line[:cut]
        line = line[cut:]
    if line:
        yield line


def _valid(text: str) -> str:
    """Returns the text with lone surrogates, which UTF-8 cannot hold, replaced by '?'."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _reason(error: Exception) -> str:
    """Returns the end of SentencePiece's message, which is the part for people."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return (text.rpartition("] ")[2] or text)[:160].rstrip(".") or "no text"


def _without_common_ends(first: list[int], second: list[int]) -> tuple[list[int], list[int]]:
    """Returns what two rows have between their common beginning and their common end."""
    begin, shorter = 0, min(len(first), len(second))
    while begin < shorter and first[begin] == second[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and first[-1 - end] == second[-1 - end]:
        end += 1
    return first[begin : len(first) - end], second[begin : len(second) - end]
