"""Transformer: pre-norm blocks of rotary attention and a feed-forward layer, with a key-value cache as state.

Sources: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Zhang & Sennrich 2019 (RMSNorm),
https://arxiv.org/abs/1910.07467; Shazeer 2020 (SwiGLU), https://arxiv.org/abs/2002.05202.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from textseq.encoder import Encoder
from textseq.errors import UsageError, problem
from textseq.layers.attention import SelfAttention
from textseq.layers.dense import Dense
from textseq.layers.feed_forward import feed_forward
from textseq.layers.normalization import RMSNormalization, add_and_normalize
from textseq.registry import encoders

_RING = ("keys", "values", "written")


@encoders.register("transformer")
class Transformer(Encoder):
    """Pre-norm Transformer with rotary positions; causal attention sees a sliding window of `context` tokens.

    Args:
        units: Width throughout; a multiple of `heads`, and units / heads even.
        causal: Whether a step sees no later one.
        depth: Blocks.
        heads: Attention heads.
        kv_heads: Heads of keys and values, a divisor of `heads`; as many as heads where null.
        feed_forward: Width of the feed-forward layer as a multiple of `units`.
        dropout: Fraction of each block's additions dropped in training, 0 to 1.
        attention_dropout: Fraction of the attention weights dropped in training, 0 to 1.
        activation: "gelu" (tanh form), or "swiglu", a gated layer.
        norm: "rms" or "layer".
        context: Tokens that causal attention sees, and that the state holds.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool = False,
        depth: int = 2,
        heads: int = 4,
        kv_heads: int | None = None,
        feed_forward: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation: Literal["gelu", "swiglu"] = "gelu",
        norm: Literal["rms", "layer"] = "rms",
        context: int = 512,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        if units % heads or (units // heads) % 2:
            wrong = f"must be a multiple of twice the {heads} heads, for rotary positions turn pairs"
            raise UsageError(problem("encoder.units", wrong, received=units))
        if kv_heads is not None and heads % kv_heads:
            raise UsageError(problem("encoder.kv_heads", f"must divide the {heads} heads", received=kv_heads))
        self.depth, self.context = depth, context
        self.kv_heads, self.width = kv_heads or heads, units // heads
        options: dict[str, Any] = {
            "heads": heads,
            "kv_heads": self.kv_heads,
            "feed_forward": feed_forward,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "norm": norm,
            "context": context,
        }
        self.entry: Any = None
        self.blocks = [
            Block(units, causal=causal, depth=depth, dtype=self.dtype_policy, **options) for _ in range(depth)
        ]
        self.final_norm = _norm(norm, self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Makes the weights; inputs of another width are projected first."""
        if input_shape[-1] != self.units:
            self.entry = Dense(self.units, use_bias=False, dtype=self.dtype_policy)
            self.entry.build(input_shape)
        shape = (*tuple(input_shape)[:-1], self.units)
        for block in self.blocks:
            block.build(shape)
        self.final_norm.build(shape)
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Returns `(batch, time, units)`, and with `return_state` the cache after the last real token."""
        hidden = inputs if self.entry is None else self.entry(inputs)
        mask = None if mask is None else ops.cast(mask, "bool")
        added, after = None, []
        for number, block in enumerate(self.blocks):
            ring = None if initial_state is None else tuple(initial_state[part][number] for part in _RING)
            hidden, added, ring = block(
                hidden, added, real=mask, ring=ring, return_state=return_state, training=training
            )
            after.append(ring)
        outputs = self.final_norm(hidden if added is None else hidden + added)
        return (outputs, self._state(after)) if return_state else outputs

    def get_initial_state(self, batch_size: Any) -> Any:
        """Returns empty caches.

        `keys` and `values`: for each block (batch, kv_heads, context, width) in float32; `written`: for each block
        how many tokens it has seen, (batch,) in int32.

        Raises:
            UsageError: The encoder is not causal.
        """
        if not self.causal:
            raise UsageError(problem("encoder.causal", "must be true to carry state: steps look ahead"))
        return self._state([block.attention.get_initial_state(batch_size) for block in self.blocks])

    @staticmethod
    def _state(rings: list[Any]) -> dict[str, list[Any]]:
        return {part: [ring[place] for ring in rings] for place, part in enumerate(_RING)}


class Block(keras.layers.Layer):
    """Attention, then a feed-forward layer, each on normalised inputs and added to what came in.

    Args:
        units: Width.
        causal: Whether a step sees no later one.
        depth: Blocks of the whole, by which the first weights of what is added are scaled down.
        heads: Attention heads.
        kv_heads: Heads of keys and values.
        feed_forward: Width of the feed-forward layer as a multiple of `units`.
        dropout: Fraction of each addition dropped.
        attention_dropout: Fraction of the attention weights dropped.
        activation: "gelu" or "swiglu".
        norm: "rms" or "layer".
        context: Steps that causal attention sees.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool,
        depth: int,
        heads: int,
        kv_heads: int,
        feed_forward: float,
        dropout: float,
        attention_dropout: float,
        activation: str,
        norm: str,
        context: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        policy, scale = self.dtype_policy, (2 * depth) ** -0.5
        self.units, self.gated = units, activation == "swiglu"
        inner = max(round(units * feed_forward * (2 / 3 if self.gated else 1)), 1)
        self.attention_norm, self.feed_forward_norm = _norm(norm, policy), _norm(norm, policy)
        self.attention = SelfAttention(
            units,
            heads=heads,
            kv_heads=kv_heads,
            causal=causal,
            context=context,
            dropout=attention_dropout,
            initializer_scale=scale,
            dtype=policy,
        )
        self.wide = Dense(inner * (2 if self.gated else 1), use_bias=False, dtype=policy)
        spread = keras.initializers.VarianceScaling(scale**2, "fan_avg", "uniform")
        self.narrow = Dense(units, use_bias=False, kernel_initializer=spread, dtype=policy)
        self.inner = inner
        self.dropouts = [keras.layers.Dropout(dropout, dtype=policy) for _ in range(2)]

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        for layer in (self.attention_norm, self.feed_forward_norm, self.attention, self.wide):
            layer.build(input_shape)
        self.narrow.build((*input_shape[:-1], self.inner))
        self.built = True

    def call(
        self,
        inputs: Any,
        added: Any = None,
        real: Any = None,
        ring: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> tuple[Any, Any, Any]:
        """Returns outputs `(batch, time, units)`, what is yet to be added to them, and the ring where it is asked for.

        `added` is what the block before left so, None for nothing: inputs and it are summed where they are normalised.
        """
        inputs, normalized = add_and_normalize(self.attention_norm, inputs, added, training)
        attended, after = self.attention(
            normalized, real=real, state=ring, return_state=return_state, training=training
        )
        attended = self.dropouts[0](attended, training=training)
        hidden, normalized = add_and_normalize(self.feed_forward_norm, inputs, attended, training)
        fed = feed_forward(normalized, self.wide, self.narrow, gated=self.gated, training=training)
        return hidden, self.dropouts[1](fed, training=training), after


def _norm(kind: str, policy: Any) -> keras.layers.Layer:
    if kind == "rms":
        return RMSNormalization(dtype=policy)
    return keras.layers.LayerNormalization(epsilon=1e-5, dtype=policy)
