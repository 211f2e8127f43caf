"""Text from language models whose encoder carries no state: each token follows the last window alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.data.tokenizers.base import END_ID, START_ID
from textseq.data.tokenizers.bytes import BytesTokenizer
from textseq.encoder import Encoder
from textseq.evaluation.generation import generate
from textseq.evaluation.sampling import Sampling
from textseq.layers.embedding import TokenEmbedding
from textseq.tasks.language_model import LanguageModel

WINDOW = 5


class MeanSoFar(Encoder):
    """The mean of all steps up to each."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        count = ops.cast(ops.arange(1, ops.shape(inputs)[1] + 1), inputs.dtype)
        return ops.cumsum(inputs, axis=1) / count[:, None]


@pytest.fixture(scope="module")
def run() -> Any:
    keras.utils.set_random_seed(3)
    model = LanguageModel(TokenEmbedding(260, 8), MeanSoFar(8, causal=True), vocabulary_size=260, tied=False, dropout=0)
    model.ensure_built({"token_ids": np.ones((2, 4), "int32")})
    for weight in model.trainable_variables:  # far apart, so that no two tokens are as likely
        weight.assign(20.0 * np.random.default_rng(len(weight.shape)).normal(size=weight.shape))
    tokenizer = BytesTokenizer()
    tokenizer.fit([])
    return SimpleNamespace(model=model, tokenizer=tokenizer, task=SimpleNamespace(window=WINDOW))


@pytest.mark.parametrize("prompt", ["", "ab", "a longer prompt"])
def test_the_likeliest_token_is_that_of_the_last_window(run: Any, prompt: str) -> None:
    ids = [START_ID, *(int(one) for one in run.tokenizer.encode([prompt])[0])]
    found = list(generate(run, prompt, max_tokens=8, sampling=Sampling(temperature=0.0)))
    assert found
    for token in [*found, *([END_ID] if len(found) < 8 else [])]:
        hidden = run.model({"token_ids": np.asarray([ids[-WINDOW:]], "int32")}, training=False)
        assert int(np.argmax(run.model.logits(hidden[:, -1])[0])) == token
        ids.append(token)


def test_what_stands_before_the_window_changes_nothing(run: Any) -> None:
    texts = [list(generate(run, f"{before}same", max_tokens=6)) for before in ("one ", "another ")]
    assert texts[0] == texts[1]
