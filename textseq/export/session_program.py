"""A program that loads a SavedModel as TensorFlow Serving does and answers requests; textseq, Keras and JAX are barred.

`tf.saved_model.load` restores Python objects and so hides faults that a server meets; the session loader does not.

Usage: python session_program.py FOLDER REQUESTS.npz ANSWERS.npz
"""

from __future__ import annotations

import base64
import gc
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

BARRED = ("jax", "keras", "tf_keras", "textseq", "textseq_plugins")


def main(folder: str, requests_path: str, answers_path: str) -> None:
    """Answers all requests in order, each in one run of the session."""
    gc.disable()  # a third of TensorFlow's start goes into a search for garbage
    for name in BARRED:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails
    import numpy as np
    import tensorflow as tf

    facts = _facts(tf, folder)
    if facts["foreign_ops"]:
        _load_text_ops(tf)
    requests = np.load(requests_path)
    plan = json.loads(str(requests["plan"]))
    answers: dict[str, Any] = {}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
        for number, request in enumerate(plan):
            signature = meta.signature_def[request["signature"]]
            feeds = {
                signature.inputs[name].name: _value(np, requests, answers, source)
                for name, source in request["inputs"].items()
            }
            fetches = {name: tensor.name for name, tensor in signature.outputs.items()}
            for name, value in session.run(fetches, feeds).items():
                answers[f"{number}:{name}"] = value
    facts["barred_modules_loaded"] = [name for name in BARRED if sys.modules.get(name) is not None]
    plain = {name: _plain(np, value) for name, value in answers.items()}
    np.savez(answers_path, facts=np.array(json.dumps(facts)), **plain)


def _facts(tf: Any, folder: str) -> dict[str, Any]:
    """Returns what the graph asks of a server; ops are foreign that TensorFlow itself does not have."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import op_def_registry

    model = saved_model_pb2.SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    functions = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    ops = {node.op for node in nodes} - functions
    return {
        "foreign_ops": sorted(name for name in ops if op_def_registry.get(name) is None),
        "ops": sorted(ops),
        "graph_version": graph.versions.producer,
        "oldest_graph_reader": graph.versions.min_consumer,
        "tensorflow": tf.__version__,
        "signatures": sorted(name for name in model.meta_graphs[0].signature_def if not name.startswith("__")),
    }


def _load_text_ops(tf: Any) -> None:
    """Loads TensorFlow Text's ops alone, as a server links them; importing the package would import Keras."""
    spec = importlib.util.find_spec("tensorflow_text")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        tf.load_op_library(str(Path(place) / "python" / "ops" / "_sentencepiece_tokenizer.so"))


def _value(np: Any, requests: Any, answers: dict[str, Any], source: Any) -> Any:
    """Returns an input: one that was sent, or an output of an earlier request."""
    if isinstance(source, list):
        return answers[f"{source[0]}:{source[1]}"]
    value = requests[source]
    if value.dtype.kind != "S":
        return value
    texts = np.empty(value.shape, object)
    texts.ravel()[:] = [base64.b64decode(text) for text in value.ravel()]
    return texts


def _plain(np: Any, value: Any) -> Any:
    """Returns an array that npz keeps without pickling: strings in base 64, for NumPy drops NULs at their ends."""
    if value.dtype.kind != "O":
        return value
    return np.array([base64.b64encode(text) for text in value.ravel()], "S").reshape(value.shape)


if __name__ == "__main__":
    main(*sys.argv[1:])
