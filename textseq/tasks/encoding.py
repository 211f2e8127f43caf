"""From rows of text to rows of token ids, for every split a task trains on or scores."""

from __future__ import annotations

from textseq.config import RunConfig
from textseq.data.encoded import EncodedTexts, SampledTexts, encode_column
from textseq.data.labels import Labels
from textseq.data.sources import Splits
from textseq.data.tokenizers.base import Tokenizer
from textseq.tasks.base import EncodedSplit


def encode_splits(
    config: RunConfig, splits: Splits, tokenizer: Tokenizer, labels: Labels | None
) -> dict[str, EncodedSplit]:
    """Tokenises every split there is.

    Args:
        config: Names the columns.
        splits: What `load_splits` returned.
        tokenizer: Fitted; where it samples subwords, the train split is encoded anew each epoch.
        labels: Encodes the label column; None for tasks without labels.
    """
    encoded = {}
    for name in ("train", "validation", "test"):
        stream = splits.train if name == "train" and splits.streamed else None
        dataset = splits.sample if name == "train" else getattr(splits, name)
        if dataset is None:
            continue
        sample = name == "train" and tokenizer.samples and stream is None
        encoded[name] = EncodedSplit(
            name=name,
            dataset=dataset,
            texts=_column(dataset, config.data.text, tokenizer, sample=sample, seed=config.seed),
            pair=None
            if config.data.text_pair is None
            else _column(dataset, config.data.text_pair, tokenizer, sample=sample, seed=config.seed),
            targets=None if labels is None else labels.encode(dataset),
            stream=stream,
        )
    return encoded


def _column(dataset: object, column: str, tokenizer: Tokenizer, *, sample: bool, seed: int) -> EncodedTexts:
    if sample:
        return SampledTexts(dataset, column, tokenizer, seed=seed)
    return encode_column(dataset, column, tokenizer)
