"""Running a signature on named arrays, whichever way they came in.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/servables/tensorflow/predict_util.cc
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textseq.serving.servable import DEFAULT_SIGNATURE, Servable
from textseq.serving.status import Code, ServingError, invalid


def predict(
    servable: Servable, signature_name: str, inputs: Mapping[str, np.ndarray], wanted: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Runs a signature.

    Args:
        servable: The loaded version.
        signature_name: Empty means `serving_default`.
        inputs: An array for each input; those with a default may be left out.
        wanted: Names of outputs to return; none means all.

    Raises:
        ServingError: The signature, an input or an output is unknown or missing, or the graph failed.
    """
    name = signature_name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    signature = servable.signatures[name]
    feeds = _fed(signature, inputs)
    outputs = _wanted(signature, wanted)
    fetches = sorted({signature.outputs[alias].name for alias in outputs})
    values = servable.run([signature.inputs[alias].name for alias in feeds], fetches, list(feeds.values()))
    found = dict(zip(fetches, values, strict=True))
    return {alias: found[signature.outputs[alias].name] for alias in outputs}


def _fed(signature: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns an array for each input of the signature: the given one or the signature's default."""
    given, known = set(inputs), set(signature.inputs)
    if len(given) > len(known) or (len(given) < len(known) and not signature.defaults):
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(known)} len({{{_joined(given)}}}) != "
            f"len({{{_joined(known)}}}). Sent extra: {{{_joined(given - known)}}}. "
            f"Missing but required: {{{_joined(known - given)}}}."
        )
    fed = {}
    for alias in sorted(known):
        if alias in inputs:
            fed[alias] = inputs[alias]
        elif alias in signature.defaults:
            fed[alias] = tf.make_ndarray(signature.defaults[alias])
        else:
            raise invalid(
                f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and "
                f"no default value provided. Inputs expected to be in the request {{{_joined(given)}}}, or default "
                f"input alias set: {{{_joined(signature.defaults)}}}"
            )
    return fed


def _wanted(signature: Any, wanted: Sequence[str]) -> list[str]:
    for position, alias in enumerate(wanted):
        if alias not in signature.outputs:
            expected = _joined(signature.outputs)
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set {{{expected}}}."
            )
        if alias in wanted[:position]:
            raise invalid(f"duplicate output tensor alias: {alias}")
    return list(wanted) or sorted(signature.outputs)


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
