"""Language modelling over one contiguous stream, the encoder's state carried from window to window.

Source: Mikolov et al. 2010 (truncated backpropagation),
https://www.isca-archive.org/interspeech_2010/mikolov10_interspeech.html.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from textseq.config import RunConfig
from textseq.data.labels import Labels
from textseq.data.sources import Splits
from textseq.data.streams import StreamedWindows
from textseq.data.tokenizers.base import END_ID, Tokenizer
from textseq.data.windows import Windows
from textseq.errors import UsageError, problem
from textseq.layers.embedding import TokenEmbedding
from textseq.model import TextModel, inference
from textseq.registry import tasks
from textseq.tasks.base import Batch, Batches, EncodedSplit, Prepared, Progress, Task, build_encoder, streamed_steps
from textseq.tasks.encoding import encode_splits
from textseq.tasks.language_model import LanguageModel
from textseq.tasks.read_rows import ReadRows
from textseq.tasks.rows import RowRecord
from textseq.tasks.text_size import TextSize, language_model_scores

_EVALUATION_STREAMS = 16
_TOKENS_A_STREAM = 4096


@tasks.register("language_modeling")
class LanguageModeling(Task):
    """Predicts each token of the text from those before it.

    Args:
        window: Tokens a training step looks at; gradients reach no further back.
        tied: Whether the softmax shares the embedding's table.
        dropout: Fraction of the vectors before the softmax dropped in training, 0 to 1.
        carry_state: Whether the encoder's state goes on from window to window in training. False cuts the text anew
            each epoch, at a random offset, and shuffles the windows.
        restarts: Fraction of training windows that begin as a text does, with the start token and no past, 0 to 1. At 0
            a model whose state is carried never learns to begin, which generation and scoring do with every text.
        end_of_text: Whether an end token follows each row of the dataset.
        softmax: "full", or "adaptive": rare tokens in clusters, on TensorFlow several times quicker with word-level
            vocabularies.
        cutoffs: The first id of each cluster; an eighteenth and a third of the vocabulary where null.
    """

    causal: ClassVar[bool] = True
    monitor: ClassVar[str] = "loss"
    monitor_mode: ClassVar[str] = "min"

    def __init__(
        self,
        *,
        window: int = 35,
        tied: bool = True,
        dropout: float = 0.0,
        carry_state: bool = True,
        restarts: float = 0.05,
        end_of_text: bool = True,
        softmax: Literal["full", "adaptive"] = "full",
        cutoffs: list[int] | None = None,
    ) -> None:
        self.window = window
        self.tied = tied
        self.dropout = dropout
        self.carry_state = carry_state
        self.restarts = restarts
        self.end_of_text = end_of_text
        self.softmax = softmax
        self.cutoffs = cutoffs

    def prepare(
        self, config: RunConfig, splits: Splits, tokenizer: Tokenizer, *, labels: Labels | None = None
    ) -> Prepared:
        """Tokenises the splits; there is nothing else to learn."""
        return Prepared(config, tokenizer, None, encode_splits(config, splits, tokenizer, None))

    def build_model(self, config: RunConfig, vocabulary_size: int, labels: Labels | None) -> LanguageModel:
        """Makes the model with fresh weights, built."""
        encoder = build_encoder(config, causal=self.causal)
        embedding = TokenEmbedding(
            vocabulary_size,
            config.embedding.units or encoder.units,
            dropout=config.embedding.dropout,
            word_dropout=config.embedding.word_dropout,
        )
        model = LanguageModel(
            embedding,
            encoder,
            vocabulary_size=vocabulary_size,
            tied=self.tied,
            dropout=self.dropout,
            cutoffs=self._cutoffs(vocabulary_size),
            name="language_model",
        )
        if self.carry_state:
            model.carry_state(config.training.rows)
        model.ensure_built({"token_ids": np.ones((2, 4), np.int32)})
        return model

    def begin(self, model: Any, prepared: Prepared) -> None:
        """Sets the softmax's biases to how often tokens stand in the train split, or in the first rows of a stream."""
        texts = prepared.splits["train"].texts
        counts = texts.counts(prepared.tokenizer.vocabulary_size)
        counts[END_ID] += len(texts.lengths) if self.end_of_text else 0
        model.softmax.begin_at(counts)

    def training_batches(self, prepared: Prepared) -> Batches:
        """Returns windows over the train split.

        Raises:
            UsageError: The tokenizer samples subwords.
        """
        if prepared.tokenizer.samples:
            wrong = "samples subwords, and windows are cut from one stream of tokens that stays the same"
            way_out = "Set tokenizer.sampling to 0"
            raise UsageError(problem("tokenizer", wrong, received=prepared.config.tokenizer.name, way_out=way_out))
        config, split = prepared.config, prepared.splits["train"]
        end_id = END_ID if self.end_of_text else None
        if split.stream is not None:
            return StreamedWindows(
                split.stream,
                config.data.text,
                prepared.tokenizer,
                end_id=end_id,
                steps_per_epoch=streamed_steps(config),
                batch_size=config.training.rows,
                window=self.window,
                carry=self.carry_state,
                shard=prepared.shard,
                restarts=self.restarts,
                seed=config.seed,
            )
        return Windows(
            split.texts,
            end_id=end_id,
            batch_size=config.training.rows,
            window=self.window,
            carry=self.carry_state,
            seed=config.seed,
            restarts=self.restarts,
            shard=prepared.shard,
            steps=config.training.steps_per_epoch,
        )

    def fit_arguments(self, batch: Batch) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Splits a batch into the `(x, y, sample_weight)` of `keras.Model.fit`."""
        inputs = {"token_ids": batch["token_ids"]}
        if self.carry_state:
            inputs["reset"] = batch["reset"]
        return inputs, batch["targets"], batch["weights"]

    def compile_arguments(self, labels: Labels | None) -> dict[str, Any]:
        """Returns nothing: the model computes its own loss."""
        return {}

    def evaluate(
        self, model: TextModel, split: EncodedSplit, prepared: Prepared, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Scores the model on every token of a split: perplexity, bits per byte and per character."""
        windows, state = self._evaluation_start(model, split)
        return self._score(model, split, prepared, progress, windows, state, None)

    def evaluate_rows(
        self, model: TextModel, split: EncodedSplit, prepared: Prepared, progress: Progress | None = None
    ) -> tuple[dict[str, Any], RowRecord | None]:
        """Scores as `evaluate` does, and keeps what tokens cost, by block, by place and by how common they are."""
        windows, state = self._evaluation_start(model, split)
        tokenizer = prepared.tokenizer
        rows = ReadRows(split, windows, prepared.splits["train"].texts.counts(tokenizer.vocabulary_size))
        scores = self._score(model, split, prepared, progress, windows, state, rows)
        return scores, rows.record(prepared.config.data, tokenizer)

    def _score(
        self,
        model: TextModel,
        split: EncodedSplit,
        prepared: Prepared,
        progress: Progress | None,
        windows: Windows,
        state: Any,
        rows: ReadRows | None,
    ) -> dict[str, Any]:
        score = inference(model, lambda batch, state: _score(model, batch, state), "score")
        total, tokens = 0.0, 0
        for step, batch in enumerate(windows.epoch(0)):
            nll, new_state = score({name: batch[name] for name in ("token_ids", "targets")}, state)
            state = state if state is None else new_state
            nats = np.asarray(nll, np.float64)
            total += float((nats * batch["weights"]).sum())
            tokens += int(batch["weights"].sum())
            if rows is not None:
                rows.update(step, batch["targets"], nats, batch["weights"])
            if progress:
                progress(step + 1, windows.steps_per_epoch)
        size = TextSize.measure(split.dataset, prepared.config.data.text, prepared.tokenizer)
        return language_model_scores(total, tokens, size, ends=size.rows if self.end_of_text else 0)

    def _cutoffs(self, vocabulary_size: int) -> list[int]:
        if self.softmax == "full":
            return []
        return self.cutoffs or [max(vocabulary_size // 18, 1), max(vocabulary_size // 3, 2)]

    def _evaluation_start(self, model: TextModel, split: EncodedSplit) -> tuple[Windows, Any]:
        """Returns the split as windows of several streams, and the streams' state.

        Streams make it quick, but each begins without a past, so a small split is read as one. None for the state where
        the encoder has none; then each window stands alone.
        """
        streams = min(max(int(split.texts.lengths.sum()) // _TOKENS_A_STREAM, 1), _EVALUATION_STREAMS)
        end_id = END_ID if self.end_of_text else None
        windows = Windows(split.texts, end_id=end_id, batch_size=streams, window=self.window, carry=True, seed=0)
        try:
            return windows, model.encoder.get_initial_state(streams)
        except UsageError:
            return windows, None


def _score(model: Any, batch: Any, state: Any) -> tuple[Any, Any]:
    if state is None:
        hidden = model(batch, training=False)
    else:
        hidden, state = model.advance(batch, state, padded=False)
    return model.negative_log_likelihood(hidden, batch["targets"]), state
