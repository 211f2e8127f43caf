"""Classifying and regressing examples: serialised `tf.train.Example`s in, classes or numbers out.

Source: https://github.com/tensorflow/serving/tree/master/tensorflow_serving/servables/tensorflow
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from textseq.serving.servable import DEFAULT_SIGNATURE, Servable
from textseq.serving.status import Code, ServingError, invalid

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


@dataclass(frozen=True)
class Classes:
    """What a classifier says of a batch.

    Attributes:
        labels: Bytes of shape (batch, classes), or None where the signature has no `classes`.
        scores: Floats of shape (batch, classes), or None where the signature has no `scores`.
    """

    labels: np.ndarray | None
    scores: np.ndarray | None

    def rows(self) -> list[list[tuple[bytes, float]]]:
        """Returns pairs of label and score by row; a missing label is empty and a missing score 0."""
        shape = next(part.shape for part in (self.labels, self.scores) if part is not None)
        labels: Any = np.full(shape, b"", object) if self.labels is None else self.labels
        scores: Any = np.zeros(shape, np.float32) if self.scores is None else self.scores
        rows = zip(labels.tolist(), scores.tolist(), strict=True)
        return [list(zip(row_labels, row_scores, strict=True)) for row_labels, row_scores in rows]


def classify(servable: Servable, signature_name: str, examples: Sequence[bytes]) -> Classes:
    """Classifies serialised `tf.train.Example`s by a signature whose input is `inputs`.

    Raises:
        ServingError: The signature is unknown or of another kind, or the graph failed.
    """
    signature = _named(servable, signature_name)
    fetches = _classification_tensors(signature)
    return _classes(signature, _run(servable, [signature], fetches, examples), len(examples))


def regress(servable: Servable, signature_name: str, examples: Sequence[bytes]) -> np.ndarray:
    """Returns a float for each serialised `tf.train.Example`.

    Raises:
        ServingError: The signature is unknown or of another kind, or the graph failed.
    """
    signature = _named(servable, signature_name)
    fetches = _regression_tensors(signature)
    return _regressions(signature, _run(servable, [signature], fetches, examples), len(examples))


def multi_inference(
    servable: Servable, tasks: Sequence[tuple[str, str]], examples: Sequence[bytes]
) -> list[Classes | np.ndarray]:
    """Answers several classify and regress signatures over the same examples in one run of the graph.

    Args:
        servable: The loaded version.
        tasks: Pairs of signature name and method name, which is `CLASSIFY` or `REGRESS`.
        examples: Serialised `tf.train.Example`s.

    Raises:
        ServingError: A signature is unknown, named twice or of another kind, or the graph failed.
    """
    signatures: dict[str, Any] = {}
    fetches: set[str] = set()
    for name, method in tasks:
        name = name or DEFAULT_SIGNATURE
        if name in signatures:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        if name not in servable.signatures:
            raise invalid(f"Requested signature not found in model graph: {name}")
        if method not in (CLASSIFY, REGRESS):
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}")
        signatures[name] = servable.signatures[name]
        tensors = _classification_tensors if method == CLASSIFY else _regression_tensors
        fetches.update(tensors(signatures[name]))
    found = _run(servable, signatures.values(), sorted(fetches), examples)
    return [
        (_classes if method == CLASSIFY else _regressions)(signature, found, len(examples))
        for (_, method), signature in zip(tasks, signatures.values(), strict=True)
    ]


def _named(servable: Servable, signature_name: str) -> Any:
    name = signature_name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid(f"No signature was found with the name: {name}")
    return servable.signatures[name]


def _run(
    servable: Servable, signatures: Iterable[Any], fetches: Sequence[str], examples: Sequence[bytes]
) -> dict[str, np.ndarray]:
    if not examples:
        raise invalid("Input is empty.")
    feeds = sorted({signature.inputs["inputs"].name for signature in signatures})
    batch = np.array(examples, object)  # (batch,)
    return dict(zip(fetches, servable.run(feeds, fetches, [batch] * len(feeds)), strict=True))


def _classification_tensors(signature: Any) -> list[str]:
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {signature}")
    found = [signature.outputs[alias].name for alias in ("classes", "scores") if alias in signature.outputs]
    if not found:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature}"
        )
    return sorted(set(found))


def _regression_tensors(signature: Any) -> list[str]:
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    for kind, aliases in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        if kind not in aliases:
            raise invalid(f"No regression {kind} found in SignatureDef: {signature}")
    return [signature.outputs["outputs"].name]


def _classes(signature: Any, found: Mapping[str, np.ndarray], batch: int) -> Classes:
    parts: dict[str, np.ndarray | None] = {"classes": None, "scores": None}
    for alias, dtype, name in (("classes", np.dtype(object), "DT_STRING"), ("scores", np.dtype("float32"), "DT_FLOAT")):
        if alias not in signature.outputs:
            continue
        part = parts[alias] = found[signature.outputs[alias].name]
        if part.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(part)}")
        if part.dtype != dtype:
            raise invalid(f"Expected {alias} Tensor of {name}. Got: {_type_name(part)}")
        if len(part) != batch:
            raise invalid(f"Expected {alias} output batch size of {batch}. Got: {len(part)}")
    labels, scores = parts["classes"], parts["scores"]
    if labels is not None and scores is not None and labels.shape != scores.shape:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    return Classes(labels, scores)


def _regressions(signature: Any, found: Mapping[str, np.ndarray], batch: int) -> np.ndarray:
    values = found[signature.outputs["outputs"].name]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != batch:
        raise invalid(f"Input batch size did not match output batch size: {batch} vs. {len(values)}")
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_type_name(values)}")
    return values.reshape(-1)


def _shape(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _type_name(array: np.ndarray) -> str:
    dtype = "string" if array.dtype == object else str(array.dtype)
    return f"DT_{tf.as_dtype(dtype).name.upper()}"
