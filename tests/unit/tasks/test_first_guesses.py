"""Before any step a language model guesses each token as often as the train split has it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from keras import ops

from textseq.config import Component, DataConfig, RunConfig, load_config
from textseq.data.encoded import EncodedTexts
from textseq.data.tokenizers.base import END_ID
from textseq.data.tokenizers.bytes import BytesTokenizer
from textseq.tasks.base import EncodedSplit, Prepared
from textseq.tasks.language_modeling import LanguageModeling

ROWS = [[9, 9, 9, 200], [9, 40], [], [258, 40]]
CONFIG = RunConfig("a", DataConfig("x"), Component("gru", {"units": 4}), Component("language_modeling"))


def guesses(**arguments: Any) -> tuple[np.ndarray, int]:
    """Returns the probability of each token where the encoder says nothing, and how many there are."""
    task, tokenizer = LanguageModeling(**arguments), BytesTokenizer()
    split = EncodedSplit("train", SimpleNamespace(), EncodedTexts.from_lists(ROWS))
    model: Any = task.build_model(CONFIG, tokenizer.vocabulary_size, None)
    task.begin(model, Prepared(CONFIG, tokenizer, None, {"train": split}))
    table = model.embedding.embeddings if task.tied else None
    logs = model.softmax.log_probabilities(ops.zeros((1, 4)), table)
    return np.exp(ops.convert_to_numpy(logs)[0]), tokenizer.vocabulary_size


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("end_of_text", [True, False])
def test_a_full_softmax_begins_at_each_tokens_share(tied: bool, end_of_text: bool) -> None:
    found, vocabulary = guesses(tied=tied, end_of_text=end_of_text)
    counts = np.ones(vocabulary)  # each once more than it stands there, for a token may be new
    counts[[9, 200, 40, 258]] += [4, 1, 2, 1]
    counts[END_ID] += 4 * end_of_text
    np.testing.assert_allclose(found, counts / counts.sum(), rtol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_an_adaptive_one_begins_at_each_clusters_share_and_each_tokens_in_it(tied: bool) -> None:
    found, vocabulary = guesses(tied=tied, softmax="adaptive", cutoffs=[100, 210])
    first = np.ones(102)
    first[[END_ID, 9, 40, 100, 101]] += [4, 4, 2, 1, 1]
    first /= first.sum()
    wanted = np.concatenate([first[:100], np.full(110, first[100] / 111), np.full(vocabulary - 210, first[101])])
    wanted[200] *= 2
    wanted[210:] /= vocabulary - 210 + 1
    wanted[258] *= 2
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("stream", [(), ("data.streaming=true", "training.steps_per_epoch=3")])
def test_a_training_begins_so(stream: tuple[str, ...], story_config: Path) -> None:
    from textseq.training.trainer import build, prepare

    config = load_config(story_config, ("seed=1", *stream))
    task, prepared = prepare(config, lambda line: None)
    ready = build(config, task, prepared)
    model: Any = ready.model
    texts = [json.loads(line)["text"] for line in (story_config.parent / "train.jsonl").read_text().splitlines()]
    tokens = sum(len(text) + 1 for text in texts) + prepared.tokenizer.vocabulary_size  # bytes, ends, one more of each
    (place,) = prepared.tokenizer.encode(["t"])[0]
    wanted = np.log((sum(text.count("t") for text in texts) + 1) / tokens)
    assert float(ops.convert_to_numpy(model.softmax.bias)[place]) == pytest.approx(wanted, rel=1e-5)
