"""Words of pre-tokenised text, split at white space, as word-level language models are measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textseq.data.tokenizers.base import END_ID, SPECIAL_TOKENS, UNKNOWN_ID, Tokenizer, require_fitted
from textseq.errors import DataError, problem
from textseq.registry import tokenizers


@tokenizers.register("words")
class WordsTokenizer(Tokenizer):
    """White-space-separated words; `<unk>` in the text is the unknown token.

    Args:
        vocabulary_size: Ids at most, the commonest words first; null for all words.
        min_count: Times a word must stand in the train split to get an id.
        lowercase: Whether upper case is folded.
    """

    registered_name: ClassVar[str] = "words"

    def __init__(self, vocabulary_size: int | None = None, *, min_count: int = 1, lowercase: bool = False) -> None:
        self._wanted = vocabulary_size
        self.min_count = min_count
        self.lowercase = lowercase
        self._words: list[str] | None = None
        self._ids: dict[str, int] = {}

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the special ones among them."""
        require_fitted(self._words, "words")
        return len(self._words or [])

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"vocabulary_size": self._wanted, "min_count": self.min_count, "lowercase": self.lowercase}

    def fit(self, texts: Iterable[str], seed: int = 0) -> None:
        """Counts the words; equally common ones in the order of the alphabet.

        Raises:
            DataError: There are no words.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(self._split(text))
        for token in SPECIAL_TOKENS:
            counts.pop(token, None)
        kept = [word for word, count in counts.items() if count >= self.min_count]
        kept.sort(key=lambda word: (-counts[word], word))
        if not kept:
            raise DataError(problem("tokenizer", "the train split has no words"))
        room = len(kept) if self._wanted is None else max(self._wanted - len(SPECIAL_TOKENS), 0)
        self._set([*SPECIAL_TOKENS, *kept[:room]])

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Returns the ids of each text."""
        require_fitted(self._words, "words")
        known = self._ids.get
        return [[known(word, UNKNOWN_ID) for word in self._split(text)] for text in texts]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Returns the words of each row, joined by spaces."""
        require_fitted(self._words, "words")
        words = self._words or []
        return [" ".join(words[int(i)] for i in row if i > END_ID or i == UNKNOWN_ID) for row in ids]

    def unknown_bytes(self, texts: Sequence[str]) -> list[int]:
        """Returns the bytes of the words without an id; an `<unk>` that stands in the text is known."""
        return [
            sum(len(word.encode("utf-8", "replace")) for word in self._split(text) if word not in self._ids)
            for text in texts
        ]

    def graph_encoder(self) -> Any:
        """Returns `encode` for TensorFlow graphs."""
        return self._in_graph().encode

    def graph_decoder(self) -> Any:
        """Returns `decode` for TensorFlow graphs."""
        return self._in_graph().decode

    def learned(self) -> bytes:
        """Returns the words, one a line, in the order of their ids."""
        return "\n".join(self._words or []).encode("utf-8", "surrogatepass")

    def restore(self, learned: bytes) -> None:
        """Takes the words."""
        self._set(learned.decode("utf-8", "surrogatepass").split("\n"))

    def _set(self, words: list[str]) -> None:
        self._words = words
        self._ids = {word: number for number, word in enumerate(words)}
        for token in SPECIAL_TOKENS:
            if token != SPECIAL_TOKENS[UNKNOWN_ID]:
                self._ids[token] = UNKNOWN_ID  # a text cannot write padding or an end

    def _in_graph(self) -> Any:
        from textseq.data.tokenizers.graph.words import GraphWords

        require_fitted(self._words, "words")
        return GraphWords(self._ids, self._words or [], lowercase=self.lowercase)

    def _split(self, text: str) -> list[str]:
        if self.lowercase:
            # Character by character, so that an exported graph can do the same: a final sigma is a sigma.
            text = text.replace("\u03a3", "\u03c3").lower()
        return text.split()
