"""Run as a program: a classifier around one encoder, trained, compiled or exported; prints one JSON object."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from textseq.encoder import Encoder
from textseq.errors import RunFailedError, UsageError
from textseq.export.prepared import prepared
from textseq.export.session import Session
from textseq.layers.embedding import TokenEmbedding
from textseq.plugins import load_plugin
from textseq.registry import encoders
from textseq.tasks.classification_model import ClassificationModel
from textseq.testing.comparing import difference
from textseq.testing.cost import BATCH, TOKENS
from textseq.testing.trying import first_line
from textseq.training.memory import peak_bytes, resident_bytes

_VOCABULARY, _CLASSES = 1000, 4
_WARM_UP, _STEPS = 3, 15


def training(encoder: Encoder) -> dict[str, Any]:
    """Trains some steps; the median of their times counts."""
    before = resident_bytes()
    model, inputs, targets = _classifier(encoder, encoder.units)
    jit = keras.backend.backend() == "jax"  # as `textseq train` has it where lengths vary
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit)
    seconds = []
    for _ in range(_WARM_UP + _STEPS):
        began = time.perf_counter()
        model.train_on_batch(inputs, targets)
        seconds.append(time.perf_counter() - began)
    return {
        "parameters": int(encoder.count_params()),
        "tokens_per_second": round(BATCH * TOKENS / statistics.median(seconds[_WARM_UP:])),
        "peak_bytes": max(peak_bytes() - before, 0),
        "streams": _streams(encoder),
        "xla": _compiles(model, inputs, targets),
    }


def exporting(encoder: Encoder) -> dict[str, Any]:
    """Writes a SavedModel, has it loaded as a server does, and compares batches of four shapes, one without rows."""
    import tensorflow as tf

    model, inputs, _ = _classifier(encoder, 2 * encoder.units)  # else one width could be taken for the other
    tf.get_logger().setLevel("ERROR")
    batches = [inputs["token_ids"][:rows, :time] for rows, time in ((1, 1), (2, 5), (3, TOKENS), (0, 5))]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        archive = keras.export.ExportArchive()
        archive.track(model)
        with prepared(model):
            spec = {"token_ids": tf.TensorSpec((None, None), tf.int32, "token_ids")}
            archive.add_endpoint(
                "serve", lambda batch: {"logits": model(batch, training=False)}, input_signature=[spec]
            )
            archive.write_out(str(folder), verbose=False)
        session = Session(folder)
        numbers = [session.ask("serve", {"token_ids": batch}) for batch in batches]
        answers = session.run()
    for number, batch in zip(numbers, batches, strict=True):
        # Where there are no rows nothing is computed here: Keras's convolution, for one, fails.
        wanted = model({"token_ids": batch}, training=False) if len(batch) else np.zeros((0, _CLASSES))
        if found := difference(answers[number]["logits"], wanted, tolerance=1e-4):
            return {"fine": False, "why": f"{batch.shape[0]} × {batch.shape[1]} tokens: {found}"}
    if foreign := session.facts["foreign_ops"]:
        return {"fine": False, "why": f"no stock server has the ops {', '.join(sorted(foreign))}"}
    return {"fine": True, "why": None}


def _classifier(encoder: Encoder, width: int) -> tuple[ClassificationModel, dict[str, np.ndarray], np.ndarray]:
    model = ClassificationModel(
        TokenEmbedding(_VOCABULARY, width), encoder, classes=_CLASSES, pooling="max", dropout=0.0
    )
    generator = np.random.default_rng(0)
    inputs = {"token_ids": generator.integers(4, _VOCABULARY, (BATCH, TOKENS)).astype("int32")}
    for row in range(BATCH):
        inputs["token_ids"][row, TOKENS - row % (TOKENS // 2) :] = 0  # padding
    model.ensure_built(inputs)
    return model, inputs, generator.integers(0, _CLASSES, BATCH).astype("int32")


def _streams(encoder: Encoder) -> bool:
    """Whether a causal one of its class carries a state, so that it generates and serves token by token."""
    try:
        causal = type(encoder)(encoder.units, causal=True)
        causal.build((None, None, encoder.units))
        causal.get_initial_state(1)
    except UsageError:
        return False
    return True


def _compiles(model: keras.Model, inputs: dict[str, np.ndarray], targets: np.ndarray) -> dict[str, Any]:
    """Tries a step of one shape with XLA."""
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
    try:
        model.train_on_batch(inputs, targets)
    except Exception as error:  # whatever stops the compiler is the answer
        return {"fine": False, "why": first_line(error)[:200]}
    return {"fine": True, "why": None}


def main() -> None:
    """Does what the first argument asks for."""
    wanted = json.loads(sys.argv[1])
    for plugin in wanted["plugins"]:
        load_plugin(plugin)
    keras.utils.set_random_seed(0)
    encoder = encoders.get(wanted["name"])(wanted["units"])
    try:
        answer = {"training": training, "exporting": exporting}[wanted["what"]](encoder)
    except RunFailedError as error:
        answer = {"fine": False, "why": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
