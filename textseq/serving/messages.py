"""Status and metadata of a model, as messages and as TF Serving's JSON of them."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse

from textseq.serving.versions import Loaded, Version

SIGNATURES = "signature_def"


def status(versions: Iterable[Version]) -> GetModelStatusResponse:
    """Returns where each version stands."""
    response = GetModelStatusResponse()
    for version in versions:
        known = response.model_version_status.add(version=version.number, state=int(version.state))
        known.status.SetInParent()
        if version.error is not None:
            known.status.error_code = int(version.error.code)
            known.status.error_message = version.error.message
    return response


def metadata(name: str, loaded: Loaded) -> GetModelMetadataResponse:
    """Returns a version's signatures."""
    response = GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = loaded.number
    signatures = SignatureDefMap()
    for key, signature in loaded.servable.signatures.items():
        signatures.signature_def[key].CopyFrom(signature)
    response.metadata[SIGNATURES].Pack(signatures)
    return response


def status_text(response: GetModelStatusResponse) -> bytes:
    """Returns the body of the status route."""
    return _json(response).encode("utf-8", "surrogateescape")


def metadata_text(response: GetModelMetadataResponse) -> bytes:
    """Returns the body of the metadata route."""
    signatures = SignatureDefMap()
    response.metadata[SIGNATURES].Unpack(signatures)
    spec, listed = _json(response.model_spec), _json(signatures)
    return f'{{\n"model_spec":{spec}\n,\n"metadata": {{"{SIGNATURES}": {listed}\n}}\n}}\n'.encode()


def _json(message: Message) -> str:
    return MessageToJson(
        message,
        always_print_fields_with_no_presence=True,
        preserving_proto_field_name=True,
        indent=1,
        ensure_ascii=False,
    )
