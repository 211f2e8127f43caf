"""The race of exported classifiers: one call from token ids to probabilities, at several shapes of a batch."""

from __future__ import annotations

from benchmark.specification import Contender, Model, Workload
from benchmark.targets import Target

_LARGE = (32, 200)  # rows and tokens
_ONE = (1, 20)
_SHAPES = {"lstm": (_ONE, (1, 200), (32, 20), _LARGE), "bilstm": (_ONE, _LARGE), "transformer": (_ONE, _LARGE)}
_VOCABULARY = 4_000


def exported_graph() -> Workload:
    """Returns ours beside a stock Keras export, PyTorch eager and ONNX Runtime; ratios within one model and shape."""
    contenders: list[Contender] = []
    for kind, shapes in _SHAPES.items():
        for rows, tokens in shapes:
            model, suffix = _model(kind, rows, tokens), f"{kind} {rows}×{tokens}"
            contenders += [
                Contender(f"textseq {suffix}", "exported", model=model),
                Contender(f"keras {suffix}", "stock_exported", model=model),
                Contender(f"torch {suffix}", "pytorch_inference", model=model),
                Contender(f"torch passive {suffix}", "pytorch_inference", variant="passive", model=model),
                Contender(f"onnxruntime {suffix}", "onnx_inference", model=model),
            ]
    lstm, both_ways, transformer = (f"{kind} {_LARGE[0]}×{_LARGE[1]}" for kind in _SHAPES)
    eager = (f"torch {transformer}", f"torch passive {transformer}")
    targets = (
        Target("speed", f"textseq {lstm}", 1.5, (f"keras {lstm}",)),
        Target("speed", f"textseq {both_ways}", 1.5, (f"keras {both_ways}",)),
        Target("speed", f"textseq {transformer}", 1.0, eager),
    )
    return Workload("exported-graph", _model("lstm", *_ONE), tuple(contenders), targets, steps=20)


def _model(kind: str, rows: int, tokens: int) -> Model:
    """Returns an LSTM of 256 units, one way or 128 each way, over an embedding of 128; or a small transformer."""
    if kind == "transformer":
        return Model("inference", "transformer", 128, depth=2, vocabulary=_VOCABULARY, batch=rows, time=tokens)
    one_way = kind == "lstm"
    return Model("inference", "lstm", 256, 1, _VOCABULARY, batch=rows, time=tokens, embedding=128, causal=one_way)
