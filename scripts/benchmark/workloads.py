"""The races of training steps and of inference, who takes part in each, and what is promised of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.inference import exported_graph
from benchmark.specification import Contender, Model, Workload
from benchmark.targets import Target

_OURS = (
    Contender("textseq", "ours"),
    Contender("textseq bf16", "ours", precision="bfloat16"),
    Contender("textseq jax", "ours", backend="jax"),
)
_STOCK = (
    Contender("keras", "stock", xla=False),
    Contender("keras xla", "stock", xla=True),
    Contender("keras jax", "stock", backend="jax"),
)
_TORCH = (
    Contender("torch", "pytorch"),
    Contender("torch passive", "pytorch", variant="passive"),
    Contender("torch bf16", "pytorch", precision="bfloat16"),
    Contender("torch bf16 passive", "pytorch", precision="bfloat16", variant="passive"),
)
_CEILING = (Contender("gemm", "ceiling"), Contender("gemm bf16", "ceiling", precision="bfloat16"))
_FLOORS = (Contender("products", "products"), Contender("products bf16", "products", precision="bfloat16"))
_STOCK_BF16 = Contender("keras bf16", "stock", precision="bfloat16", xla=False)
_ALL = (*_OURS, *_STOCK, *_TORCH, *_CEILING, *_FLOORS)
# Of several rivals the fastest counts. OpenMP's threads wait actively by default: quick, but on an idle machine alone.
_KERAS, _EAGER = ("keras", "keras xla"), ("torch", "torch passive")
_WITHIN_A_FIFTH = 1 / 1.2

_JAX = Target("speed", "textseq jax", _WITHIN_A_FIFTH, ("textseq",))
_RECURRENT = (Target("speed", "textseq", 1.5, _KERAS), Target("speed", "textseq", 1.3, _EAGER), _JAX)
_LSTM_650 = (
    Target("speed", "textseq", 2.0, _KERAS),
    Target("speed", "textseq", 1.5, _EAGER),
    Target("ceiling", "textseq", 0.85),
    Target("speed", "textseq bf16", 3.0, _KERAS),
    Target("speed", "textseq bf16", 2.0, _EAGER),
    _JAX,
)
_TRANSFORMER = (
    Target("speed", "textseq", 1.2, ("keras xla",)),
    Target("speed", "textseq", 2.0, _EAGER),
    Target("speed", "textseq bf16", 2.0, ("torch bf16", "torch bf16 passive")),
    _JAX,
)
_CYCLE = 12
_GPU_STEPS = 20
_BYTES = 256
_FEW, _MANY = 700, 16_384  # tokens of a small and of a large step


def _recurrent(encoder: str, units: int, time: int) -> Model:
    rate = 0.1 if encoder == "rnn" else 1.0  # at 1.0 an RNN's loss grows
    return Model("language_modeling", encoder, units, depth=2, vocabulary=10_000, batch=20, time=time, rate=rate)


def _without_recurrent_products(units: int, time: int) -> Workload:
    """Returns minGRU beside LSTM: over bytes, and over words, where the softmax, the same for both, is half a step."""
    words = _recurrent("lstm", units, time)
    contenders = (
        Contender("lstm", "ours"),
        Contender("mingru", "ours", encoder="mingru"),
        Contender("lstm jax", "ours", backend="jax"),
        Contender("mingru jax", "ours", backend="jax", encoder="mingru"),
        Contender("lstm words", "ours", model=words),
        Contender("mingru words", "ours", model=words, encoder="mingru"),
    )
    targets = (Target("speed", "mingru", 2.5, ("lstm",)), Target("speed", "mingru jax", 2.5, ("lstm jax",)))
    return Workload(f"lm-mingru-{units}", replace(words, vocabulary=_BYTES), contenders, targets)


def step_workloads() -> dict[str, Workload]:
    """Returns all races by name; lengths of texts are still missing, see `with_lengths`."""
    transformer = Model(
        "language_modeling", "transformer", 256, depth=4, vocabulary=8_000, batch=32, time=128, rate=0.1
    )
    attentive = Model("classification", "transformer", 256, depth=4, vocabulary=4_000, batch=64)
    classifier = Model("classification", "lstm", 512, depth=1, vocabulary=4_000, batch=64, embedding=128)
    rivals = (*_OURS, *_STOCK, *_TORCH)
    workloads = (
        Workload("lm-lstm-200", _recurrent("lstm", 200, 20), _ALL, _RECURRENT, steps=10),
        Workload("lm-lstm-650", _recurrent("lstm", 650, 35), _ALL, _LSTM_650, steps=3),
        Workload("lm-gru-650", _recurrent("gru", 650, 35), _ALL, _RECURRENT),
        Workload("lm-rnn-650", _recurrent("rnn", 650, 35), _ALL, _RECURRENT),
        _without_recurrent_products(650, 35),
        _without_recurrent_products(200, 20),
        Workload("clf-bilstm", classifier, rivals, _RECURRENT, steps=_CYCLE, unit="texts"),
        Workload("lm-transformer", transformer, (*_ALL, _STOCK_BF16), _TRANSFORMER, steps=3),
        Workload("clf-transformer", attentive, rivals, (_JAX,), steps=_CYCLE, unit="texts"),
        _softmax(),
        exported_graph(),
    )
    return {workload.name: workload for workload in workloads}


def gpu_workloads() -> dict[str, Workload]:
    """Returns the races on a GPU by name: textseq and stock Keras on JAX, and PyTorch, with the batches of before.

    Those fill no GPU; sixteen times as many rows come nearer to it.
    """
    contenders = (
        *(replace(one, device="gpu") for one in (*_OURS, *_STOCK) if one.backend == "jax"),
        Contender("textseq jax bf16", "ours", backend="jax", precision="bfloat16", device="gpu"),
        Contender("keras jax bf16", "stock", backend="jax", precision="bfloat16", device="gpu"),
        *(replace(one, device="gpu") for one in _TORCH if one.variant != "passive"),
        *(replace(one, backend="jax", device="gpu") for one in _CEILING),
    )
    found, workloads = {}, step_workloads()
    for name in ("lm-lstm-650", "lm-gru-650", "lm-transformer"):
        model = workloads[name].model
        for times in (1, 16):
            whole = f"{name}-{times}x" if times > 1 else name
            wider = replace(model, batch=times * model.batch)
            found[whole] = Workload(whole, wider, contenders, steps=_GPU_STEPS)
    return found


def _softmax() -> Workload:
    """Returns the loss of WikiText-2's vocabulary: alone, forward and backward, at two sizes."""
    few, many = (Model("loss", "", 200, depth=0, vocabulary=33_278, batch=1, time=tokens) for tokens in (_FEW, _MANY))
    contenders = (
        Contender("textseq", "loss", variant="chunked", model=few),
        Contender("textseq bf16", "loss", precision="bfloat16", variant="chunked", model=few),
        Contender("textseq jax", "loss", backend="jax", variant="chunked", model=few),
        Contender("adaptive", "loss", variant="adaptive", model=few),
        Contender("keras", "loss", xla=False, variant="plain", model=few),
        Contender("keras xla", "loss", xla=True, variant="plain", model=few),
        Contender("textseq 16k", "loss", variant="chunked", model=many),
        Contender("adaptive 16k", "loss", variant="adaptive", model=many),
        Contender("keras 16k", "loss", xla=False, variant="plain", model=many),
        Contender("keras xla 16k", "loss", xla=True, variant="plain", model=many),
    )
    targets = (
        Target("speed", "textseq", 1.0, _KERAS),
        Target("speed", "textseq 16k", 1.0, ("keras 16k", "keras xla 16k")),
        Target("memory", "textseq 16k", 0.2, ("keras 16k",)),
        Target("speed", "adaptive", 2.5, ("textseq",)),
        _JAX,
    )
    return Workload("softmax-33k", few, contenders, targets, steps=2)


def with_lengths(workload: Workload, lengths: Path) -> Workload:
    """Returns a workload whose texts have the lengths in a NumPy file."""
    return replace(workload, model=replace(workload.model, lengths=str(lengths)))
