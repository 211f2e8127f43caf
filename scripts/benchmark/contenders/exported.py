"""textseq: what `textseq export` writes of a classifier, from token ids on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from benchmark.batches import rows_of_one_length
from benchmark.contenders.ours import make_config, make_labels
from benchmark.contenders.saved_model import session_step
from benchmark.specification import Contender, Model
from textseq.export.prepared import prepared
from textseq.registry import tasks


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that asks the export once."""
    keras.utils.set_random_seed(0)
    config = make_config(contender, model)
    task = tasks.get(config.task.name)(**config.task.arguments)
    made = task.build_model(config, model.vocabulary, make_labels())
    made.ensure_built({"token_ids": rows_of_one_length(model)})

    def probabilities(token_ids: Any) -> Any:
        return tf.nn.softmax(made({"token_ids": token_ids}, training=False))

    def save(folder: Path) -> None:
        archive = keras.export.ExportArchive()
        signature = [tf.TensorSpec((None, None), tf.int32, name="token_ids")]
        with prepared(made):
            archive.add_endpoint("serving_default", probabilities, input_signature=signature)
            archive.write_out(str(folder), verbose=False)

    return session_step(save, model)
