"""Language modelling over one contiguous stream, the encoder's state carried from window to window.

Source: Mikolov et al. 2010 (truncated backpropagation), https://www.isca-archive.org/interspeech_2010/mikolov10_interspeech.html;
Press & Wolf 2017 (tied embeddings), https://arxiv.org/abs/1608.05859.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops, tree

from textseq.config import RunConfig
from textseq.data.labels import Labels
from textseq.data.sources import Splits
from textseq.data.tokenizers.base import END_ID, Tokenizer
from textseq.data.windows import Windows
from textseq.encoder import Encoder
from textseq.errors import UsageError
from textseq.layers.embedding import TokenEmbedding
from textseq.layers.losses import softmax_cross_entropy, weighted_softmax_cross_entropy
from textseq.model import TextModel, inference
from textseq.registry import tasks
from textseq.tasks.base import Batch, Batches, EncodedSplit, Prepared, Progress, Task, build_encoder
from textseq.tasks.encoding import encode_splits
from textseq.tasks.text_size import TextSize, language_model_scores

_EVALUATION_STREAMS = 16
_TOKENS_A_STREAM = 4096


class LanguageModel(TextModel):
    """Embedding → causal encoder → (projection) → dropout → softmax over the vocabulary.

    `call` gives the vectors before the softmax, for the loss never needs all logits at once.

    Args:
        embedding: Token embedding.
        encoder: A causal encoder.
        vocabulary_size: Tokens.
        tied: Whether the softmax uses the embedding's table.
        dropout: Fraction of the vectors before the softmax dropped in training.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        encoder: Encoder,
        *,
        vocabulary_size: int,
        tied: bool,
        dropout: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(embedding, encoder, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.tied = tied
        self.dropout = keras.layers.Dropout(dropout)
        same = not tied or embedding.units == encoder.units
        self.projection = None if same else keras.layers.Dense(embedding.units, use_bias=False, name="projection")
        width = embedding.units if tied else encoder.units
        self.output_bias = self.add_weight(shape=(vocabulary_size,), initializer="zeros", name="output_bias")
        self.output_kernel = (
            None
            if tied
            else self.add_weight(shape=(vocabulary_size, width), initializer="glorot_uniform", name="output_kernel")
        )
        self.carried: list[Any] = []

    def carry_state(self, rows: int) -> None:
        """Makes the variables that hold the encoder's state from one training window to the next.

        Args:
            rows: Rows of a training batch.
        """
        state = self.encoder.get_initial_state(rows)
        self._state_structure = state
        for i, part in enumerate(tree.flatten(state)):
            dtype = keras.backend.standardize_dtype(part.dtype)
            self.carried.append(
                self.add_weight(
                    shape=tuple(part.shape),
                    dtype=dtype,
                    initializer="zeros",
                    trainable=False,
                    autocast=False,
                    name=f"carried_{i}",
                )
            )

    def call(self, batch: Any, training: bool | None = None) -> Any:
        """Returns the vectors before the softmax, carrying the state on where the batch says `reset`.

        Args:
            batch: `token_ids` (batch, time); `reset` (batch,), 1 where a row begins a new stream.
            training: Whether dropout is on.

        Returns:
            `(batch, time, features)`.
        """
        if not (self.carried and "reset" in batch):
            return self._hidden(self.encode(batch, training=training)[0], training)
        initial = tree.flatten(self.encoder.get_initial_state(self.carried[0].shape[0]))
        state = [_restarted(old, new, batch["reset"]) for old, new in zip(self.carried, initial, strict=True)]
        state = tree.pack_sequence_as(self._state_structure, state)
        encoded, _, state = self.encode(batch, initial_state=state, return_state=True, training=training)
        for variable, value in zip(self.carried, tree.flatten(state), strict=True):
            variable.assign(ops.stop_gradient(ops.cast(value, variable.dtype)))
        return self._hidden(encoded, training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Returns the mean negative log-likelihood of the targets in nats a token."""
        rows = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        weights = ops.reshape(sample_weight, (-1,))
        kernel, bias = self.softmax_weights()
        total = weighted_softmax_cross_entropy(rows, kernel, bias, ops.reshape(y, (-1,)), weights)
        return total / ops.maximum(ops.sum(weights), 1.0)

    def softmax_weights(self) -> tuple[Any, Any]:
        """Returns the softmax's kernel `(vocabulary, features)` and bias `(vocabulary,)`."""
        kernel = self.embedding.embeddings if self.tied else self.output_kernel
        return ops.convert_to_tensor(kernel), ops.convert_to_tensor(self.output_bias)

    def advance(self, batch: Any, state: Any) -> tuple[Any, Any]:
        """Runs on from `state` without training.

        Returns:
            The vectors before the softmax `(batch, time, features)`, and the state after the last real token.
        """
        encoded, _, state = self.encode(batch, initial_state=state, return_state=True, training=False)
        return self._hidden(encoded, training=False), state

    def negative_log_likelihood(self, hidden: Any, targets: Any) -> Any:
        """Returns nats of each target. `(batch, time)`."""
        kernel, bias = self.softmax_weights()
        rows = ops.reshape(hidden, (-1, hidden.shape[-1]))
        nll = softmax_cross_entropy(rows, kernel, bias, ops.reshape(targets, (-1,)))
        return ops.reshape(nll, ops.shape(targets))

    def logits(self, hidden: Any) -> Any:
        """Returns the logits of the next token for vectors `(batch, features)`. `(batch, vocabulary)`."""
        kernel, bias = self.softmax_weights()
        hidden, kernel = ops.cast(hidden, "float32"), ops.cast(kernel, "float32")
        return ops.matmul(hidden, ops.transpose(kernel)) + ops.cast(bias, "float32")

    def save_own_variables(self, store: Any) -> None:
        """Keeps the softmax's own weights; the carried state belongs to the training, not to the model."""
        store["output_bias"] = self.output_bias
        if self.output_kernel is not None:
            store["output_kernel"] = self.output_kernel

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote."""
        self.output_bias.assign(store["output_bias"])
        if self.output_kernel is not None:
            self.output_kernel.assign(store["output_kernel"])

    def _hidden(self, encoded: Any, training: Any) -> Any:
        projected = encoded if self.projection is None else self.projection(encoded)
        return self.dropout(projected, training=training)


@tasks.register("language_modeling")
class LanguageModeling(Task):
    """Predicts each token of the text from those before it.

    Args:
        window: Tokens a training step looks at; gradients reach no further back.
        tied: Whether the softmax shares the embedding's table.
        dropout: Fraction of the vectors before the softmax dropped in training, 0 to 1.
        carry_state: Whether the encoder's state goes on from window to window in training. False cuts the text anew
            each epoch, at a random offset, and shuffles the windows.
        end_of_text: Whether an end token follows each row of the dataset.
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
        end_of_text: bool = True,
    ) -> None:
        self.window = window
        self.tied = tied
        self.dropout = dropout
        self.carry_state = carry_state
        self.end_of_text = end_of_text

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
            name="language_model",
        )
        if self.carry_state:
            model.carry_state(config.training.batch_size)
        model.ensure_built({"token_ids": np.ones((2, 4), np.int32)})
        return model

    def training_batches(self, prepared: Prepared) -> Batches:
        """Returns windows over the train split."""
        config = prepared.config
        return Windows(
            prepared.splits["train"].texts,
            end_id=END_ID if self.end_of_text else None,
            batch_size=config.training.batch_size,
            window=self.window,
            carry=self.carry_state,
            seed=config.seed,
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
        streams, state = self._evaluation_start(model, int(split.texts.lengths.sum()))
        windows = Windows(
            split.texts,
            end_id=END_ID if self.end_of_text else None,
            batch_size=streams,
            window=self.window,
            carry=True,
            seed=0,
        )
        score = inference(model, lambda batch, state: _score(model, batch, state), "score")
        total, tokens = 0.0, 0
        for step, batch in enumerate(windows.epoch(0)):
            nll, new_state = score({name: batch[name] for name in ("token_ids", "targets")}, state)
            state = state if state is None else new_state
            total += float((np.asarray(nll, np.float64) * batch["weights"]).sum())
            tokens += int(batch["weights"].sum())
            if progress:
                progress(step + 1, windows.steps_per_epoch)
        size = TextSize.measure(split.dataset, prepared.config.data.text, prepared.tokenizer)
        return language_model_scores(total, tokens, size, ends=size.rows if self.end_of_text else 0)

    def _evaluation_start(self, model: TextModel, tokens: int) -> tuple[int, Any]:
        """Returns how many streams the split is read as, and their state.

        Streams make it quick, but each begins without a past, so a small split is read as one. None for the state where
        the encoder has none; then each window stands alone.
        """
        streams = min(max(tokens // _TOKENS_A_STREAM, 1), _EVALUATION_STREAMS)
        try:
            return streams, model.encoder.get_initial_state(streams)
        except UsageError:
            return streams, None


def _score(model: Any, batch: Any, state: Any) -> tuple[Any, Any]:
    if state is None:
        hidden = model(batch, training=False)
    else:
        hidden, state = model.advance(batch, state)
    return model.negative_log_likelihood(hidden, batch["targets"]), state


def _restarted(carried: Any, initial: Any, reset: Any) -> Any:
    """Returns the carried state, and the initial one in the rows that begin a new stream."""
    fresh = ops.reshape(reset > 0.5, (-1,) + (1,) * (len(carried.shape) - 1))
    return ops.where(fresh, initial, ops.convert_to_tensor(carried))
