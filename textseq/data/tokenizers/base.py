"""What every tokenizer is: fitted on texts, saved in a folder, with the same four special ids."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from textseq.errors import RunDirectoryError, UsageError, problem
from textseq.files import replacing

PAD_ID, UNKNOWN_ID, START_ID, END_ID = 0, 1, 2, 3
SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>")


class Tokenizer:
    """Base class; a subclass is registered with `@tokenizers.register("name")`.

    A subclass keeps each constructor argument under its own name, writes `fit`, `encode`, `decode`, `vocabulary_size`,
    and `learned`/`restore` for what fitting found.

    Attributes:
        registered_name: What configs call it.
    """

    registered_name: ClassVar[str] = ""

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the special ones among them."""
        raise TypeError(f"{type(self).__name__} defines no vocabulary_size.")

    @property
    def samples(self) -> bool:
        """Whether `encode_sampled` differs from `encode`: subword sampling in training."""
        return False

    def fit(self, texts: Iterable[str], seed: int = 0) -> None:
        """Learns the vocabulary."""
        raise TypeError(f"{type(self).__name__} defines no fit.")

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Returns the ids of each text (a list or an array each), without special ids around them."""
        raise TypeError(f"{type(self).__name__} defines no encode.")

    def encode_sampled(self, texts: Sequence[str], generator: np.random.Generator) -> list[Any]:
        """Returns the ids of each text, cut into pieces at random where the tokenizer samples."""
        return self.encode(texts)

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Returns the text of each row of ids; special ids have none."""
        raise TypeError(f"{type(self).__name__} defines no decode.")

    def unknown_bytes(self, texts: Sequence[str]) -> list[int]:
        """Returns, for each text, how many of its UTF-8 bytes only the unknown id stands for."""
        return [0] * len(texts)

    def graph_encoder(self) -> Any:
        """Returns `encode` for TensorFlow graphs, which export needs.

        A function of valid UTF-8 `(batch,)` that gives ids as a `tf.RaggedTensor` `(batch, None)` of int32, exactly
        those of `encode`. It is called while a graph is traced. One that holds a table is a method of a `tf.Module`.

        Raises:
            UsageError: The tokenizer has no such form.
        """
        raise UsageError(_no_graph(self, "graph_encoder"))

    def graph_decoder(self) -> Any:
        """Returns `decode` for TensorFlow graphs: from a `tf.RaggedTensor` of int32 ids to strings `(batch,)`.

        Raises:
            UsageError: The tokenizer has no such form.
        """
        raise UsageError(_no_graph(self, "graph_decoder"))

    def equally_likely(self, first: Sequence[int], second: Sequence[int]) -> bool:
        """Whether two rows of ids are the same text cut in two ways of which neither is better, so either may come."""
        return False

    def learned(self) -> bytes:
        """Returns what fitting found."""
        raise TypeError(f"{type(self).__name__} defines no learned.")

    def restore(self, learned: bytes) -> None:
        """Takes back what `learned` returned."""
        raise TypeError(f"{type(self).__name__} defines no restore.")

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    @property
    def fingerprint(self) -> str:
        """A hash of the arguments and of what was learned: the same ids for the same text, always."""
        content = json.dumps([self.registered_name, self.arguments], sort_keys=True).encode() + self.learned()
        return hashlib.sha256(content).hexdigest()[:32]

    @property
    def id_type(self) -> Any:
        """The smallest NumPy type that holds every id."""
        return np.min_scalar_type(self.vocabulary_size - 1)

    def save(self, folder: str | Path) -> None:
        """Writes the folder, whole or not at all."""
        with replacing(Path(folder)) as beside:
            beside.mkdir()
            learned = self.learned()
            about = {
                "name": self.registered_name,
                "arguments": self.arguments,
                "sha256": hashlib.sha256(learned).hexdigest(),
            }
            (beside / "tokenizer.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
            (beside / "vocabulary").write_bytes(learned)


def _no_graph(tokenizer: Tokenizer, method: str) -> str:
    wrong = "has no form inside a TensorFlow graph, so its runs cannot be exported"
    return problem(f"tokenizer '{tokenizer.registered_name}'", wrong, way_out=f"Define {method} in its class")


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """Reads what `save` wrote.

    Raises:
        RunDirectoryError: A file is missing or damaged.
    """
    from textseq.registry import tokenizers

    folder = Path(folder)
    try:
        about = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        learned = (folder / "vocabulary").read_bytes()
        tokenizer: Tokenizer = tokenizers.get(about["name"])(**about["arguments"])
        intact = hashlib.sha256(learned).hexdigest() == about["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunDirectoryError(problem(str(folder), f"the tokenizer cannot be read: {reason}")) from error
    if not intact:
        raise RunDirectoryError(problem(str(folder / "vocabulary"), "is damaged: its checksum is another"))
    tokenizer.restore(learned)
    return tokenizer


def code_hash(tokenizer: Tokenizer) -> str:
    """Returns a hash of the files that define a tokenizer's class and its bases: what is cached hangs on these too."""
    modules = dict.fromkeys(cls.__module__ for cls in type(tokenizer).__mro__)
    files = (getattr(sys.modules.get(module), "__file__", None) for module in modules)
    digest = hashlib.sha256()
    for file in files:
        if file and Path(file).is_file():
            digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
    return digest.hexdigest()[:32]


def require_fitted(fitted: Any, name: str) -> None:
    """Refuses a tokenizer that has not been fitted.

    Raises:
        UsageError: It has not.
    """
    if fitted is None:
        raise UsageError(problem(f"tokenizer '{name}'", "has not been fitted", way_out="Call fit(texts) first"))
