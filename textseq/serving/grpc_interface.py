"""TF Serving's gRPC interface: PredictionService and ModelService.

Source: https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc
from tensorflow_serving.apis.classification_pb2 import ClassificationResponse, ClassificationResult
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse
from tensorflow_serving.apis.inference_pb2 import MultiInferenceResponse
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionResponse, RegressionResult
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from textseq.serving import example_inference, messages, prediction
from textseq.serving.folders import Policy
from textseq.serving.models import Models
from textseq.serving.servable import DEFAULT_SIGNATURE
from textseq.serving.status import ServingError, invalid
from textseq.serving.tensor_protos import arrays, serialized_examples, tensor
from textseq.serving.versions import ModelVersions

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def grpc_server(models: Models, *, threads: int, largest_message: int) -> grpc.Server:
    """Returns a server with both services, to which a port is yet to be added.

    Args:
        models: What is served.
        threads: Requests that run at a time.
        largest_message: Bytes.
    """
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
        options=[
            ("grpc.max_receive_message_length", largest_message),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # a port that is taken is an error
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(models), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models), server)
    return server


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers questions to models; the methods are those of `prediction_service.proto`."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def Predict(self, request: Any, context: grpc.ServicerContext) -> PredictResponse:
        """Runs a signature on named tensors."""
        return _answered(context, lambda: self._predict(request))

    def Classify(self, request: Any, context: grpc.ServicerContext) -> ClassificationResponse:
        """Classifies examples."""
        return _answered(context, lambda: self._classify(request))

    def Regress(self, request: Any, context: grpc.ServicerContext) -> RegressionResponse:
        """Gives a number for each example."""
        return _answered(context, lambda: self._regress(request))

    def MultiInference(self, request: Any, context: grpc.ServicerContext) -> MultiInferenceResponse:
        """Answers several signatures over the same examples."""
        return _answered(context, lambda: self._multi_inference(request))

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> GetModelMetadataResponse:
        """Tells the signatures of a model."""
        return _answered(context, lambda: self._metadata(request))

    def _predict(self, request: Any) -> PredictResponse:
        with self.models.use(*_asked(request)) as loaded:
            name = request.model_spec.signature_name
            outputs = prediction.predict(loaded.servable, name, arrays(request.inputs), request.output_filter)
            response = PredictResponse(model_spec=_spec(request.model_spec, loaded.number))
        for alias, values in outputs.items():
            response.outputs[alias].CopyFrom(tensor(values))
        return response

    def _classify(self, request: Any) -> ClassificationResponse:
        with self.models.use(*_asked(request)) as loaded:
            given = serialized_examples(request.input)
            classes = example_inference.classify(loaded.servable, request.model_spec.signature_name, given)
            spec = _spec(request.model_spec, loaded.number)
        return ClassificationResponse(model_spec=spec, result=_classification(classes))

    def _regress(self, request: Any) -> RegressionResponse:
        with self.models.use(*_asked(request)) as loaded:
            given = serialized_examples(request.input)
            values = example_inference.regress(loaded.servable, request.model_spec.signature_name, given)
            spec = _spec(request.model_spec, loaded.number)
        return RegressionResponse(model_spec=spec, result=_regression(values))

    def _multi_inference(self, request: Any) -> MultiInferenceResponse:
        specs = [task.model_spec for task in request.tasks]
        with self.models.use(*_named(specs[0] if specs else ModelSpec())) as loaded:
            for spec in specs:
                if not spec.name:
                    raise invalid("Found ModelSpec with an empty model name.")
                if spec.name != specs[0].name:
                    raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
            tasks = [(task.model_spec.signature_name, task.method_name) for task in request.tasks]
            results = example_inference.multi_inference(loaded.servable, tasks, serialized_examples(request.input))
            response = MultiInferenceResponse()
            for spec, result in zip(specs, results, strict=True):
                added = response.results.add(model_spec=_spec(spec, loaded.number))
                if isinstance(result, example_inference.Classes):
                    added.classification_result.CopyFrom(_classification(result))
                else:
                    added.regression_result.CopyFrom(_regression(result))
        return response

    def _metadata(self, request: Any) -> GetModelMetadataResponse:
        asked = _asked(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != messages.SIGNATURES:
                raise invalid(f"Metadata field {name} is not supported")
        with self.models.use(*asked) as loaded:
            return messages.metadata(request.model_spec.name, loaded)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Tells and changes what is served; the methods are those of `model_service.proto`."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> GetModelStatusResponse:
        """Tells where each version of a model stands."""
        return _answered(context, lambda: self._status(request))

    def HandleReloadConfigRequest(self, request: Any, context: grpc.ServicerContext) -> ReloadConfigResponse:
        """Serves the models of a list from now on, and no others."""
        return _answered(context, lambda: self._reload(request))

    def _status(self, request: Any) -> GetModelStatusResponse:
        name, version, _ = _asked(request)
        return messages.status(self.models.status(name, version))

    def _reload(self, request: Any) -> ReloadConfigResponse:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        models, labels = _configured(request.config, self.models.report)
        self.models.replace(models, labels)
        response = ReloadConfigResponse()
        response.status.SetInParent()
        return response


def _answered(context: grpc.ServicerContext, answer: Callable[[], Any]) -> Any:
    """Returns the answer, or ends the call with the code and the message of what went wrong."""
    try:
        return answer()
    except ServingError as error:
        context.abort(_CODES[error.code], error.message)
        raise AssertionError from error  # abort never returns


def _asked(request: Any) -> tuple[str, int | None, str]:
    """Returns name, version and label of the model that a request asks for."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return _named(request.model_spec)


def _named(spec: ModelSpec) -> tuple[str, int | None, str]:
    return spec.name, spec.version.value if spec.HasField("version") else None, spec.version_label


def _spec(asked: ModelSpec, version: int) -> ModelSpec:
    spec = ModelSpec(name=asked.name, signature_name=asked.signature_name or DEFAULT_SIGNATURE)
    spec.version.value = version
    return spec


def _classification(classes: example_inference.Classes) -> ClassificationResult:
    result = ClassificationResult()
    for row in classes.rows():
        added = result.classifications.add()
        for label, score in row:
            added.classes.add(label=label.decode("utf-8", "replace"), score=score)
    return result


def _regression(values: np.ndarray) -> RegressionResult:
    result = RegressionResult()
    for value in values.tolist():
        result.regressions.add(value=value)
    return result


def _configured(
    config: ModelServerConfig, report: Callable[[str], None]
) -> tuple[dict[str, ModelVersions], dict[str, dict[str, int]]]:
    """Returns the models and the labels that a list of models names."""
    models: dict[str, ModelVersions] = {}
    labels: dict[str, dict[str, int]] = {}
    for entry in config.model_config_list.config:
        if entry.name in models:
            raise invalid(f"Illegal to list model {entry.name} multiple times in config list")
        if not Path(entry.base_path).is_absolute():
            raise invalid(
                f"Expected model {entry.name} to have an absolute path or URI; got base_path()={entry.base_path}"
            )
        if not (entry.model_platform or entry.model_type):
            raise invalid(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                f"ModelServerConfig::model_platform, model name is {entry.name}"
            )
        models[entry.name] = ModelVersions(entry.name, Path(entry.base_path), _policy(entry), report=report)
        labels[entry.name] = dict(entry.version_labels)
    return models, labels


def _policy(entry: Any) -> Policy:
    policy = entry.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return Policy(newest=None)
    if kind == "specific":
        return Policy(specific=frozenset(policy.specific.versions))
    return Policy(newest=policy.latest.num_versions or 1)
