"""TF Serving's REST interface as one function from a request to a reply.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/model_servers/http_rest_api_util.cc
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import tensorflow as tf

from textseq.serving import example_inference, messages, prediction
from textseq.serving.json_examples import examples
from textseq.serving.json_reading import read_object
from textseq.serving.json_tensors import INPUTS, INSTANCES, from_inputs, from_instances, request_format
from textseq.serving.json_writing import (
    classes_body,
    error_body,
    outputs_body,
    predictions_body,
    regressions_body,
    shown,
)
from textseq.serving.models import Models
from textseq.serving.servable import DEFAULT_SIGNATURE
from textseq.serving.status import HTTP_STATUS, Code, ServingError, invalid
from textseq.serving.versions import Loaded

ROOT = "/v1/"
_VERSION = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_ASK = re.compile(rf"/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)", re.IGNORECASE | re.ASCII)
_LOOK = re.compile(rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?", re.IGNORECASE | re.ASCII)
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Reply:
    """What goes back.

    Attributes:
        status: The HTTP status code.
        body: What is sent.
        media_type: Of the body.
    """

    status: int
    body: bytes
    media_type: bytes = b"application/json"


class RestInterface:
    """Answers requests under `/v1/`.

    Args:
        models: What is served.
    """

    def __init__(self, models: Models) -> None:
        self.models = models

    def answer(self, method: str, target: str, body: bytes, origin: str = "") -> Reply:
        """Answers one request; whatever is wrong with it is in the reply.

        Args:
            method: The HTTP method.
            target: Path and query as they came, nothing decoded.
            body: The body, inflated.
            origin: The header `Origin`, which a browser's preflight has.
        """
        try:
            if method == "OPTIONS":
                return Reply(200 if re.search("https?://", origin) else 400, b"")
            return Reply(200, self._route(method, target, body))
        except ServingError as error:
            return Reply(HTTP_STATUS[error.code], error_body(error.message))
        except (UnicodeError, OverflowError) as error:  # a name that is no UTF-8, a number beyond all types
            return Reply(400, error_body(str(error)))

    def _route(self, method: str, target: str, body: bytes) -> bytes:
        match = {"POST": _ASK, "GET": _LOOK}[method].fullmatch(target) if method in ("POST", "GET") else None
        if match is None:
            raise invalid(f"Malformed request: {method} {target}")
        name, version, label, what = match.groups()
        number = int(version) if version else None
        if number is not None and number > _LARGEST:
            raise invalid(f"Failed to convert version: {version} to numeric.")
        name, label = unquote(name or "", errors="surrogateescape"), unquote(label or "", errors="surrogateescape")
        if method == "GET":
            return self._metadata(name, number, label) if what == "metadata" else self._status(name, number)
        questions = {"predict": self._predict, "classify": self._classify, "regress": self._regress}
        if what not in questions:  # the verb, unlike all else, has to be in lower case
            raise invalid(f"Malformed request: {method} {target}")
        return questions[what](read_object(body), name, number, label)

    def _status(self, name: str, version: int | None) -> bytes:
        if not name:
            raise invalid("Missing model name in request.")
        return messages.status_text(messages.status(self.models.status(name, version)))

    def _metadata(self, name: str, version: int | None, label: str) -> bytes:
        if not name:
            raise invalid("Missing model name in request.")
        with self.models.use(name, version, label) as loaded:
            return messages.metadata_text(messages.metadata(name, loaded))

    def _predict(self, request: dict[str, Any], name: str, version: int | None, label: str) -> bytes:
        signature_name = _signature_name(request)
        with self.models.use(name, version, label) as loaded:
            dtypes = _dtypes(loaded, signature_name)
            rows = request_format(request) == INSTANCES
            inputs = from_instances(request[INSTANCES], dtypes) if rows else from_inputs(request[INPUTS], dtypes)
            outputs = prediction.predict(loaded.servable, signature_name, inputs)
        return predictions_body(outputs) if rows else outputs_body(outputs)

    def _classify(self, request: dict[str, Any], name: str, version: int | None, label: str) -> bytes:
        signature_name, given = _signature_name(request), examples(request)
        with self.models.use(name, version, label) as loaded:
            return classes_body(example_inference.classify(loaded.servable, signature_name, given).rows())

    def _regress(self, request: dict[str, Any], name: str, version: int | None, label: str) -> bytes:
        signature_name, given = _signature_name(request), examples(request)
        with self.models.use(name, version, label) as loaded:
            return regressions_body(example_inference.regress(loaded.servable, signature_name, given))


def _signature_name(request: dict[str, Any]) -> str:
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {shown(request)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def _dtypes(loaded: Loaded, signature_name: str) -> dict[str, str]:
    """Returns the NumPy name of each input's type, by input."""
    signature = loaded.servable.signatures.get(signature_name or DEFAULT_SIGNATURE)
    if signature is None:
        name = signature_name or DEFAULT_SIGNATURE
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {signature_name or 'DEFAULT'}")
    names = {alias: tf.as_dtype(signature.inputs[alias].dtype).name for alias in sorted(signature.inputs)}
    return {alias: "object" if name == "string" else name for alias, name in names.items()}


def server_error(error: Exception) -> Reply:
    """Returns the reply to a request that the server itself failed on."""
    return Reply(HTTP_STATUS[Code.INTERNAL], error_body(f"{type(error).__name__}: {error}"))
