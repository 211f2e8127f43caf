"""What every tokenizer has to be, tested by meaning. The name of a check is what has to hold."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from textseq.data.tokenizers.base import END_ID, PAD_ID, UNKNOWN_ID, Tokenizer, load_tokenizer
from textseq.errors import UsageError
from textseq.export.adversarial import adversarial_texts
from textseq.registry import tokenizers
from textseq.signatures import inspect_class
from textseq.testing.arguments import plain_and_documented
from textseq.testing.comparing import require

# Plain enough for any normalisation to leave them as they are, and long enough to learn from.
TEXTS = ("the cat sat on the mat", "the dog ran to the door", "a bird sang in the old tree", "not bad but good") * 30
_ODD = ("", " ", "the  cat", "naïve café", "🐈", "a\nb\tc", "\x00", "x" * 3000, "never seen", "\ud800", "<pad> </s>")
_ROWS_OF_IDS = 200
_SHORT = 40  # characters of a text of which every part is tried


@dataclass
class TokenizerSubject:
    """A tokenizer class, how to make it, and texts to try it on."""

    cls: type[Tokenizer]
    arguments: dict[str, Any]
    texts: Sequence[str] = TEXTS
    hostile: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.hostile = [text.decode("utf-8", "replace") for text in adversarial_texts()]

    def make(self) -> Tokenizer:
        """Makes and fits one."""
        made = self.cls(**self.arguments)
        made.fit(iter(self.texts), 0)
        return made

    @cached_property
    def fitted(self) -> Tokenizer:
        """One that checks share."""
        return self.make()


def arguments_are_plain_and_documented(subject: TokenizerSubject) -> None:
    """The signature is the schema of configs, and a run directory keeps the arguments."""
    plain_and_documented(subject.cls, inspect_class(subject.cls).arguments)
    kept = subject.cls(**subject.arguments).arguments
    for name, value in subject.arguments.items():
        require(kept.get(name) == value, f"{name} is {kept.get(name)!r} among its arguments, and {value!r} was given")
    json.dumps(kept)


def it_knows_its_registered_name(subject: TokenizerSubject) -> None:
    """A run directory finds the class again by it."""
    name = subject.cls.registered_name
    require(bool(name), "registered_name is empty")
    known = name in tokenizers.names()
    require(
        not known or tokenizers.get(name) is subject.cls, f"registered_name is {name!r}, which is another tokenizer"
    )


def it_can_be_fitted(subject: TokenizerSubject) -> None:
    """Nothing else can be tried before."""
    size = subject.fitted.vocabulary_size
    require(size > END_ID, f"vocabulary_size is {size}, and the special ids take {END_ID + 1}")


def ids_are_in_range(subject: TokenizerSubject) -> None:
    """Every id is one of the vocabulary's, and no text can write padding, a start or an end."""
    tokenizer = subject.fitted
    size = tokenizer.vocabulary_size

    def fault(text: str) -> str | None:
        for one in _ids(tokenizer, text):
            if not (one == UNKNOWN_ID or END_ID < one < size):
                return f"gives the id {one}, of {size}" + (", which is special" if 0 <= one <= END_ID else "")
        return None

    _hold(fault, [*subject.texts[:4], *_ODD, *subject.hostile])
    largest = np.iinfo(tokenizer.id_type).max
    require(largest >= size - 1, f"id_type holds ids up to {largest}, and there are {size}")


def nothing_has_no_ids(subject: TokenizerSubject) -> None:
    """No text, an empty text, and no ids are rows like others."""
    tokenizer = subject.fitted
    require(len(tokenizer.encode([])) == 0, "encode([]) gives rows")
    require(_ids(tokenizer, "") == [], f"the empty text has the ids {_ids(tokenizer, '')}")
    require(tokenizer.decode([]) == [], "decode([]) gives texts")
    require(tokenizer.decode([[]]) == [""], f"no ids have the text {tokenizer.decode([[]])}")
    require(tokenizer.decode([[PAD_ID, END_ID]]) == [""], "padding and an end have a text")


def known_text_comes_back(subject: TokenizerSubject) -> None:
    """What it was fitted on is decoded as it was."""
    tokenizer = subject.fitted
    given = {one for ids in tokenizer.encode(subject.texts) for one in _plain(ids)}
    require(given != {UNKNOWN_ID}, "every token of the texts that it was fitted on is unknown")

    def fault(text: str) -> str | None:
        if text not in subject.texts and text != " ".join(text.split()):
            return None  # a part with spaces at its ends, which need not come back
        ids = _ids(tokenizer, text)
        back = tokenizer.decode([ids])[0]
        return None if back == text or UNKNOWN_ID in ids else f"comes back as {back!r}"

    _hold(fault, list(dict.fromkeys(subject.texts)))


def other_texts_change_nothing(subject: TokenizerSubject) -> None:
    """A text has the same ids alone and among others, and each time."""
    tokenizer = subject.fitted
    texts = [*subject.texts[:4], *_ODD]
    rows = tokenizer.encode(texts)
    require(len(rows) == len(texts), f"{len(texts)} texts give {len(rows)} rows")
    together = {text: _plain(row) for text, row in zip(texts, rows, strict=True)}

    def fault(text: str) -> str | None:
        alone = _ids(tokenizer, text)
        wanted = together.get(text, alone)
        return None if alone == wanted else f"has the ids {_few(alone)} alone and {_few(wanted)} among others"

    _hold(fault, texts, shrink=False)


def fitting_twice_gives_the_same(subject: TokenizerSubject) -> None:
    """The same texts and the same seed, the same ids."""
    again = subject.make()
    require(again.fingerprint == subject.fitted.fingerprint, "two that were fitted alike have other fingerprints")

    def fault(text: str) -> str | None:
        one, other = _ids(subject.fitted, text), _ids(again, text)
        return None if one == other else f"has the ids {_few(one)}, and {_few(other)} in another that was fitted alike"

    _hold(fault, [*subject.texts[:4], *_ODD])


def what_was_saved_is_loaded(subject: TokenizerSubject) -> None:
    """A run directory keeps the arguments and what was learned."""
    tokenizer = subject.fitted
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "tokenizer"
        tokenizer.save(folder)
        again = _loaded(subject.cls, folder)
    require(again.fingerprint == tokenizer.fingerprint, "its fingerprint is another afterwards")

    def fault(text: str) -> str | None:
        one, other = _ids(tokenizer, text), _ids(again, text)
        return None if one == other else f"has the ids {_few(one)} before and {_few(other)} afterwards"

    _hold(fault, [*subject.texts[:4], *_ODD, *subject.hostile])


def unknown_bytes_are_counted(subject: TokenizerSubject) -> None:
    """Bits per byte charge what only the unknown id stands for."""
    tokenizer = subject.fitted

    def fault(text: str) -> str | None:
        count, size = tokenizer.unknown_bytes([text])[0], len(text.encode("utf-8", "replace"))
        if not 0 <= count <= size:
            return f"has {count} unknown bytes of {size}"
        unknown = UNKNOWN_ID in _ids(tokenizer, text)
        return f"has {count} unknown bytes and no unknown id" if count and not unknown else None

    _hold(fault, [*subject.texts[:4], *_ODD, *subject.hostile])


def the_graph_gives_the_same_ids(subject: TokenizerSubject) -> None:
    """An exported model reads texts as training did; hostile ones too."""
    tokenizer = subject.fitted
    try:
        in_graph = tokenizer.graph_encoder()
    except UsageError:  # it has none, so its runs cannot be exported, which `plugins show` tells
        return
    import tensorflow as tf

    encode = tf.function(in_graph, input_signature=[tf.TensorSpec([None], tf.string)])

    def fault(text: str) -> str | None:
        found, wanted = encode(tf.constant([text.encode()])).to_list()[0], _ids(tokenizer, text)
        return None if found == wanted else f"has the ids {_few(wanted)}, and {_few(found)} in a graph"

    texts = [*subject.hostile, *subject.texts[:4]]
    rows = encode(tf.constant([text.encode() for text in texts])).to_list()
    wanted = tokenizer.encode(texts)
    _hold(fault, [text for text, row, ids in zip(texts, rows, wanted, strict=True) if row != _plain(ids)])
    require(encode(tf.constant([], tf.string)).shape[0] == 0, "no text gives rows in a graph")


def the_graph_gives_the_same_texts(subject: TokenizerSubject) -> None:
    """An exported language model writes what `textseq generate` writes."""
    tokenizer = subject.fitted
    try:
        in_graph = tokenizer.graph_decoder()
    except UsageError:
        return
    import tensorflow as tf

    decode = tf.function(in_graph, input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    generator = np.random.default_rng(0)
    rows = [_drawn(generator, tokenizer.vocabulary_size) for _ in range(_ROWS_OF_IDS)]
    rows = sorted([*rows, *([one] for one in range(tokenizer.vocabulary_size))], key=len)  # the smallest first
    found = [text.decode() for text in decode(tf.ragged.constant(rows, tf.int32)).numpy()]
    for row, text, wanted in zip(rows, found, tokenizer.decode(rows), strict=True):
        require(text == wanted, f"the ids {_few(row)} have the text {wanted!r}, and {text!r} in a graph")


TOKENIZER_CHECKS: tuple[Callable[[TokenizerSubject], None], ...] = (
    arguments_are_plain_and_documented,
    it_knows_its_registered_name,
    it_can_be_fitted,
    ids_are_in_range,
    nothing_has_no_ids,
    known_text_comes_back,
    other_texts_change_nothing,
    fitting_twice_gives_the_same,
    what_was_saved_is_loaded,
    unknown_bytes_are_counted,
    the_graph_gives_the_same_ids,
    the_graph_gives_the_same_texts,
)


def _hold(fault: Callable[[str], str | None], texts: Sequence[str], *, shrink: bool = True) -> None:
    """Requires that no text has a fault; of one that has, as little is shown as still has it."""
    for text in texts:
        if fault(text) is not None:
            smallest = _shrunk(fault, text) if shrink else text
            require(False, f"{smallest!r} {fault(smallest)}")


def _shrunk(fault: Callable[[str], str | None], text: str) -> str:
    """Returns as little of a text as has a fault too; of a long text, what no half, quarter … can be left out of."""
    size = max(len(text) // 2, 1)
    while size:
        place = 0
        while place < len(text):
            shorter = text[:place] + text[place + size :]
            if fault(shorter) is not None:
                text = shorter
            else:
                place += size
        size //= 2
    parts = (text[start : start + size] for size in range(len(text)) for start in range(len(text) - size + 1))
    return next((part for part in parts if fault(part) is not None), text) if len(text) <= _SHORT else text


def _loaded(cls: type[Tokenizer], folder: Path) -> Tokenizer:
    """Reads what `save` wrote; of a class that is not registered, by the class itself."""
    if cls.registered_name in tokenizers.names() and tokenizers.get(cls.registered_name) is cls:
        return load_tokenizer(folder)
    about = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    again = cls(**about["arguments"])
    again.restore((folder / "vocabulary").read_bytes())
    return again


def _drawn(generator: np.random.Generator, size: int) -> list[int]:
    return [int(one) for one in generator.integers(0, size, generator.integers(2, 12))]


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return _plain(tokenizer.encode([text])[0])


def _plain(row: Any) -> list[int]:
    return [int(one) for one in row]


def _few(ids: Sequence[int]) -> str:
    return f"[{', '.join(map(str, ids[:8]))}{', …' if len(ids) > 8 else ''}]"
