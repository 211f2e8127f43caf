"""minLSTM: an LSTM whose gates see the inputs alone, and together keep the state's scale.

Source: Feng et al. 2024, https://arxiv.org/abs/2410.01201.
"""

from __future__ import annotations

from typing import Any, Literal

from keras import ops

from textseq.encoder import StackedEncoder
from textseq.layers.recurrence import LayerStack, LinearLayer, positive
from textseq.registry import encoders


@encoders.register("minlstm")
class MinLSTM(StackedEncoder):
    """minLSTM, in both directions unless causal.

    Args:
        units: Width of the outputs; even unless causal, for each direction has half.
        causal: One direction, so that no step sees the future; otherwise both.
        depth: Layers.
        dropout: Fraction of each layer's inputs dropped in training, 0 to 1.
        variational: Whether a sequence drops the same features at every step.
        layer_norm: Whether each layer's outputs are normalised.
        residual: Whether a layer's inputs are added to its outputs, where both have one width.
        candidate: What is added to the state: "linear", any number, or "positive", as the paper's form in logarithms
            wants it.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool = False,
        depth: int = 1,
        dropout: float = 0.0,
        variational: bool = False,
        layer_norm: bool = False,
        residual: bool = False,
        candidate: Literal["linear", "positive"] = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.stack = LayerStack(
            units,
            lambda width, **more: MinLSTMLayer(width, candidate=candidate, **more),
            depth=depth,
            causal=causal,
            dropout=dropout,
            variational=variational,
            layer_norm=layer_norm,
            residual=residual,
            dtype=self.dtype_policy,
        )


class MinLSTMLayer(LinearLayer):
    """f, i = sigmoid(…); h' = (f ⊙ h + i ⊙ g(Vx + c)) / (f + i).

    Args:
        units: Width.
        candidate: "linear" for g(v) = v; "positive" for v + ½ where v is not negative, and sigmoid(v) where it is.
        **kwargs: Arguments of `LinearLayer`.
    """

    gates: tuple[str, ...] = ("forget", "input", "candidate")

    def __init__(self, units: int, *, candidate: str = "linear", **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.candidate = candidate

    def coefficients(self, inputs: Any, forget: Any, admit: Any, candidate: Any) -> tuple[Any, Any]:
        """Returns f / (f + i), and i / (f + i) times the candidate; by logarithms, for both gates may be all but 0."""
        balance = ops.softplus(-admit) - ops.softplus(-forget)  # log f - log i
        new = positive(candidate) if self.candidate == "positive" else candidate
        return ops.sigmoid(balance), ops.sigmoid(-balance) * new
