"""When XLA is taken, and what is said of it: a rule, so that the same config always gives the same numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from textseq.config import Component, RunConfig, TrainingConfig
from textseq.errors import UsageError
from textseq.layers.dense import Dense
from textseq.layers.recurrence.layer import RecurrentLayer
from textseq.layers.softmax import AdaptiveSoftmax, FullSoftmax
from textseq.training import compiling, fused_optimizers
from textseq.training.compiling import choose, native_refusal, recurrence_line, take_native_loops, take_native_norm

if keras.backend.backend() != "tensorflow":
    pytest.skip("JAX always compiles", allow_module_level=True)


def model(encoder: str, **settings: Any) -> Any:
    from textseq.layers.embedding import TokenEmbedding
    from textseq.registry import encoders
    from textseq.tasks.language_model import LanguageModel

    return LanguageModel(
        TokenEmbedding(50, 8),
        encoders.get(encoder)(8, causal=True, **settings),
        vocabulary_size=50,
        tied=True,
        dropout=0.0,
        cutoffs=(10,) if encoder == "gru" else (),
    )


def config(**training: Any) -> RunConfig:
    from textseq.config import DataConfig

    return RunConfig(
        name="x",
        data=DataConfig(path="x"),
        encoder=Component("lstm", {"units": 8}),
        task=Component("language_modeling"),
        training=TrainingConfig(**training),
    )


def allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has all be compiled that takes float32, and loops and softmaxes in any type, whatever this machine has."""
    monkeypatch.setattr(compiling, "native_refusal", lambda operands: None)
    monkeypatch.setattr(compiling, "softmax_refusal", lambda operands: None)
    for name in ("wide_refusal", "product_refusal"):
        own = getattr(compiling, name)

        def refusal(operands: str, own: Any = own) -> str | None:
            return None if operands == "float32" else own(operands)

        monkeypatch.setattr(compiling, name, refusal)


@pytest.mark.parametrize(
    ("encoder", "training", "fixed", "jit", "reason"),
    [
        ("transformer", {}, True, False, "what stands between large ones is compiled alone"),
        ("transformer", {}, False, False, "lengths of texts vary"),
        ("transformer", {"precision": "mixed_bfloat16"}, True, False, "on a CPU it makes products slower"),
        ("transformer", {"jit": False}, True, False, "training.jit is false"),
        ("lstm", {}, True, False, "products of a recurrence"),
        ("lstm", {}, True, False, "small loops are compiled alone"),
        ("lstm", {"jit": True}, False, True, "training.jit is true"),
        ("gru", {}, True, False, "adaptive softmax"),
    ],
)
def test_the_rule(encoder: str, training: dict[str, Any], fixed: bool, jit: bool, reason: str) -> None:
    decided = choose(config(**training), model(encoder), fixed_shapes=fixed)
    assert decided.jit is jit
    assert reason in decided.reason
    assert str(decided).startswith(f"XLA {'on' if jit else 'off'}: ")


def test_a_language_models_compiled_steps_are_those_of_a_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textseq.layers.recurrence.loops._SMALL_STATES", range(100))  # loops compiled within as well
    ids = np.random.default_rng(0).integers(1, 50, (4, 7))

    def losses(jit: bool) -> list[float]:
        keras.utils.set_random_seed(0)
        one = model("lstm")
        one.compile("sgd", jit_compile=jit)
        return [float(one.train_on_batch({"token_ids": ids[:, :-1]}, ids[:, 1:], np.ones((4, 6)))) for _ in range(3)]

    plain = losses(False)
    assert losses(True) == pytest.approx(plain, rel=1e-5)
    assert plain[2] < plain[0]


def test_on_a_gpu_attention_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "has_gpu", lambda: True)
    decided = choose(config(), model("transformer"), fixed_shapes=True)
    assert decided == compiling.Compiling(True, "it fuses attention's small operations")
    assert not choose(config(), model("lstm"), fixed_shapes=True).jit


def test_on_a_gpu_it_is_said_what_the_recurrence_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recurrence_line(model("lstm")) is None  # no GPU, no choice
    monkeypatch.setattr(compiling, "has_gpu", lambda: True)
    monkeypatch.setattr("textseq.layers.recurrence.cudnn.has_gpu", lambda: True)
    assert recurrence_line(model("lstm")) == "Recurrence by cuDNN"
    assert recurrence_line(model("transformer")) is None
    line = recurrence_line(model("lstm", recurrent_dropout=0.1))
    assert line is not None
    assert "cuDNN knows no recurrent dropout (encoder.recurrent_dropout)" in line


class TestNativeLoops:
    def lines(self, *, encoder: str = "lstm", jit: bool = False, **training: Any) -> tuple[str | None, Any, list[str]]:
        """Returns the line for the log, the model's recurrent layers and softmax, and what was said on the way."""
        one, said = model(encoder), []
        line = take_native_loops(config(**training), one, said.append, jit=jit)
        kinds = (RecurrentLayer, FullSoftmax, AdaptiveSoftmax)
        return line, [layer for layer in one._flatten_layers() if isinstance(layer, kinds)], said

    def test_they_are_taken_where_there_are_any(self, monkeypatch: pytest.MonkeyPatch) -> None:
        allow(monkeypatch)
        monkeypatch.setattr(compiling, "has_to_compile", lambda backend: True)
        line, layers, said = self.lines()
        assert line == "Recurrent loops and softmax compiled for this processor"
        assert said == ["Compiling the loops of this model for this processor, once: some ten seconds …"]
        assert len(layers) == 2
        assert all(layer.native_refusal is None for layer in layers)

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"native_loops": False}, "training.native_loops is false"),
            ({"jit": True}, "XLA compiles the whole step"),
            ({}, "there is no C++ compiler (g++, clang++, or one that CXX names)"),
        ],
    )
    def test_where_they_are_not_the_log_says_why(
        self, options: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compiling, "native_refusal", lambda operands: reason)
        line, layers, _ = self.lines(**options)
        assert line == f"Recurrent loops and softmax by TensorFlow, not compiled for this processor: {reason}"
        assert len(layers) == 2
        assert all(layer.native_refusal == reason for layer in layers)

    def test_the_norm_of_gradients_is_theirs_where_any_layer_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for wanted in ("auto", False):
            allow(monkeypatch)
            one, optimizer = model("lstm"), fused_optimizers.SGD(0.1)
            take_native_loops(config(native_loops=wanted), one, None, jit=False)
            take_native_norm(optimizer, one)
            assert optimizer.native is (wanted == "auto")

    def test_where_they_are_demanded_and_cannot_be_it_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compiling, "native_refusal", lambda operands: "there is no C++ compiler")
        with pytest.raises(UsageError, match=r"is true, but the loops .*: there is no C\+\+ compiler\. Mend"):
            self.lines(native_loops=True)

    def test_of_what_a_model_does_not_have_nothing_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        allow(monkeypatch)
        line, layers, _ = self.lines(encoder="transformer")
        assert line == "Attention, softmax, normalisation and dense layers compiled for this processor"
        assert len(layers) == 1
        assert take_native_loops(config(), keras.Sequential([keras.layers.Dense(1)]), None, jit=False) is None

    def test_without_tiles_dense_layers_are_the_backends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        allow(monkeypatch)
        monkeypatch.setattr(compiling, "product_refusal", lambda operands: "no tiles")
        one = model("transformer")
        line = take_native_loops(config(), one, None, jit=False)
        assert line is not None
        assert line.split("; ") == [
            "Attention, softmax and normalisation compiled for this processor",
            "dense layers by TensorFlow, not compiled for this processor: no tiles",
        ]
        dense = [layer for layer in one._flatten_layers() if isinstance(layer, Dense)]
        assert dense
        assert all(layer.native_refusal == "no tiles" for layer in dense)

    def test_in_bfloat16_attention_stays_the_backends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        allow(monkeypatch)
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            line, layers, _ = self.lines(native_loops=True)
            one = model("transformer")
        finally:
            keras.config.set_dtype_policy("float32")
        assert line == "Recurrent loops and softmax compiled for this processor"
        assert [layer.native_refusal for layer in layers] == [None, None]
        own = take_native_loops(config(), one, None, jit=False)
        reason = "it takes float32, not bfloat16 (training.precision)"
        assert own is not None
        assert own.split("; ") == [
            f"Attention, normalisation and dense layers by TensorFlow, not compiled for this processor: {reason}",
            "softmax compiled for this processor",
        ]

    def test_a_training_by_them_is_the_same_as_without(self) -> None:
        if native_refusal() is not None:
            pytest.skip(f"no compiled loops: {native_refusal()}")
        ids = np.random.default_rng(0).integers(1, 50, (4, 7))

        def losses(wanted: bool) -> list[float]:
            keras.utils.set_random_seed(0)
            one = model("lstm")
            take_native_loops(config(native_loops=wanted), one, None, jit=False)
            one.compile("sgd", jit_compile=False)
            batch = {"token_ids": ids[:, :-1]}
            return [float(one.train_on_batch(batch, ids[:, 1:], np.ones((4, 6)))) for _ in range(3)]

        plain = losses(False)
        assert losses(True) == pytest.approx(plain, rel=1e-5)
        assert plain[2] < plain[0]
