"""The gRPC services through TF Serving's own stubs: answers and codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest


class Stubs:
    """Stubs over one channel, and short ways to build messages."""

    def __init__(self, port: int) -> None:
        import tensorflow as tf
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.tf = tf

    def predict(
        self, signature: str = "length", name: str = "lengths", version: int | None = None, **inputs: Any
    ) -> Any:
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        request = PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = name, signature
        if version is not None:
            request.model_spec.version.value = version
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(self.tf.make_tensor_proto(value))
        return request

    def about(self, request: Any, *texts: str, signature: str = "classify") -> Any:
        request.model_spec.name, request.model_spec.signature_name = "lengths", signature
        for text in texts:
            example = request.input.example_list.examples.add()
            example.features.feature["text"].bytes_list.value.append(text.encode())
        return request


@pytest.fixture(scope="module")
def stubs(served: Any) -> Iterator[Stubs]:
    made = Stubs(served.grpc_port)
    yield made
    made.channel.close()


def refused(call: Any, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=60)
    return raised.value.code().name, raised.value.details()


def test_predict_answers_in_the_fields_of_the_types(stubs: Stubs) -> None:
    answer = stubs.prediction.Predict(stubs.predict(text=["abc", ""]), timeout=60)
    assert list(answer.outputs["length"].float_val) == [3.0, 0.0]
    assert [dim.size for dim in answer.outputs["length"].tensor_shape.dim] == [2]
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("lengths", 1, "length")
    default = stubs.prediction.Predict(stubs.predict("", text=["abc"]), timeout=60)
    assert list(default.outputs["label"].string_val) == [b"short"]
    assert default.model_spec.signature_name == "serving_default"
    half = stubs.prediction.Predict(stubs.predict("half", x=[1.5]), timeout=60)
    assert stubs.tf.make_ndarray(half.outputs["y"]).tolist() == [1.5]
    assert stubs.prediction.Predict(stubs.predict("scalar", x=1.5), timeout=60).outputs["y"].float_val == [3.0]


def test_predict_returns_the_outputs_that_were_asked_for(stubs: Stubs) -> None:
    request = stubs.predict("", text=["abc"])
    request.output_filter.append("label")
    assert set(stubs.prediction.Predict(request, timeout=60).outputs) == {"label"}
    request.output_filter.append("label")
    assert refused(stubs.prediction.Predict, request) == ("INVALID_ARGUMENT", "duplicate output tensor alias: label")
    request.output_filter[1] = "nope"
    code, details = refused(stubs.prediction.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("output tensor alias not found in signature: nope Outputs expected to be in the set {")


def test_predict_refuses_with_the_right_codes(stubs: Stubs) -> None:
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    call = stubs.prediction.Predict
    not_found = "Servable not found for request: "
    assert refused(call, stubs.predict(name="other", text=["a"])) == ("NOT_FOUND", f"{not_found}Latest(other)")
    assert refused(call, stubs.predict(version=3, text=["a"])) == ("NOT_FOUND", f"{not_found}Specific(lengths, 3)")
    unknown = ("FAILED_PRECONDITION", 'Serving signature key "nope" not found.')
    assert refused(call, stubs.predict("nope", text=["a"])) == unknown
    assert refused(call, PredictRequest()) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert refused(call, stubs.predict(name="", text=["a"])) == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    missing = "input size does not match signature: 0!=1 len({}) != len({text}). "
    missing += "Sent extra: {}. Missing but required: {text}."
    assert refused(call, stubs.predict()) == ("INVALID_ARGUMENT", missing)
    assert refused(call, stubs.predict("sum_of", a=[1.0], c=[1.0]))[0] == "INVALID_ARGUMENT"
    assert refused(call, stubs.predict(text=[1.0]))[0] == "INVALID_ARGUMENT"
    assert refused(call, stubs.predict("sum_of", a=[1.0, 2.0], b=[1.0, 2.0, 3.0]))[0] == "INVALID_ARGUMENT"
    labelled = stubs.predict(text=["a"])
    labelled.model_spec.version_label = "stable"
    assert refused(call, labelled) == ("INVALID_ARGUMENT", "Unrecognized servable version label: stable")


def test_a_tensor_that_claims_more_than_it_holds_is_refused(stubs: Stubs) -> None:
    request = stubs.predict(text=["a"])
    request.inputs["text"].tensor_shape.dim[0].size = 2**40
    assert refused(stubs.prediction.Predict, request)[0] == "RESOURCE_EXHAUSTED"
    request = stubs.predict("same", x=[1.0, 2.0])
    request.inputs["x"].tensor_content = b"abc"
    assert refused(stubs.prediction.Predict, request) == ("INVALID_ARGUMENT", "tensor parsing error: x")


def test_classify_and_regress(stubs: Stubs) -> None:
    from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
    from tensorflow_serving.apis.regression_pb2 import RegressionRequest

    answer = stubs.prediction.Classify(stubs.about(ClassificationRequest(), "abc", "0123456789"), timeout=60)
    scores = [[(one.label, one.score) for one in row.classes] for row in answer.result.classifications]
    assert scores[0] == [("short", 0.625), ("long", 0.375)]
    assert scores[1][1] == ("long", pytest.approx(2 / 3))
    numbers = stubs.prediction.Regress(stubs.about(RegressionRequest(), "abc", "", signature="regress"), timeout=60)
    assert [one.value for one in numbers.result.regressions] == [3.0, 0.0]
    assert refused(stubs.prediction.Classify, stubs.about(ClassificationRequest())) == (
        "INVALID_ARGUMENT",
        "Input is empty.",
    )
    wrong = stubs.about(ClassificationRequest(), "a", signature="nope")
    assert refused(stubs.prediction.Classify, wrong) == (
        "INVALID_ARGUMENT",
        "No signature was found with the name: nope",
    )


def test_the_context_goes_to_every_example(stubs: Stubs) -> None:
    from tensorflow_serving.apis.regression_pb2 import RegressionRequest

    request = stubs.about(RegressionRequest(), signature="regress")
    both = request.input.example_list_with_context
    both.context.features.feature["text"].bytes_list.value.append(b"abc")
    both.examples.add()
    both.examples.add()
    answer = stubs.prediction.Regress(request, timeout=60)
    assert [one.value for one in answer.result.regressions] == [3.0, 3.0]


def test_multi_inference_answers_in_the_order_of_the_tasks(stubs: Stubs) -> None:
    from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest

    request = MultiInferenceRequest()
    example = request.input.example_list.examples.add()
    example.features.feature["text"].bytes_list.value.append(b"abc")
    for verb in ("regress", "classify"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{verb}")
        task.model_spec.name, task.model_spec.signature_name = "lengths", verb
    first, second = stubs.prediction.MultiInference(request, timeout=60).results
    assert first.regression_result.regressions[0].value == 3.0
    assert second.classification_result.classifications[0].classes[0].score == 0.625
    assert second.model_spec.version.value == 1
    request.tasks[1].model_spec.signature_name = "regress"
    duplicate = ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress")
    assert refused(stubs.prediction.MultiInference, request) == duplicate
    request.tasks[1].model_spec.signature_name = "classify"
    request.tasks[1].method_name = "tensorflow/serving/predict"
    assert refused(stubs.prediction.MultiInference, request)[0] == "UNIMPLEMENTED"


def test_metadata_and_status(stubs: Stubs) -> None:
    from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

    request = GetModelMetadataRequest()
    request.model_spec.name = "lengths"
    nothing = "GetModelMetadataRequest must specify at least one metadata_field"
    assert refused(stubs.prediction.GetModelMetadata, request) == ("INVALID_ARGUMENT", nothing)
    request.metadata_field.append("signature_def")
    answer = stubs.prediction.GetModelMetadata(request, timeout=60)
    signatures = SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert "text" in signatures.signature_def["serving_default"].inputs
    request.metadata_field.append("x")
    unsupported = ("INVALID_ARGUMENT", "Metadata field x is not supported")
    assert refused(stubs.prediction.GetModelMetadata, request) == unsupported
    asked = GetModelStatusRequest()
    asked.model_spec.name = "lengths"
    (known,) = stubs.model.GetModelStatus(asked, timeout=60).model_version_status
    assert (known.version, known.state, known.status.error_code) == (1, 30, 0)
    asked.model_spec.version.value = 9
    assert refused(stubs.model.GetModelStatus, asked) == ("NOT_FOUND", "Could not find version 9 of model lengths")


def test_a_list_of_models_replaces_what_is_served(stubs: Stubs, exported: Any) -> None:
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    assert refused(stubs.model.HandleReloadConfigRequest, ReloadConfigRequest())[0] == "INVALID_ARGUMENT"
    request = ReloadConfigRequest()
    first = request.config.model_config_list.config.add(
        name="lengths", base_path=str(exported), model_platform="tensorflow", version_labels={"stable": 1}
    )
    request.config.model_config_list.config.add(name="again", base_path=str(exported), model_platform="tensorflow")
    assert stubs.model.HandleReloadConfigRequest(request, timeout=60).status.error_code == 0
    labelled = stubs.predict(text=["abc"])
    labelled.model_spec.version_label = "stable"
    assert stubs.prediction.Predict(labelled, timeout=60).model_spec.version.value == 1
    assert stubs.prediction.Predict(stubs.predict(name="again", text=["abc"]), timeout=60).outputs
    first.version_labels["canary"] = 7
    unavailable = (
        "Request to assign label to version 7 of model lengths, which is not currently available for inference"
    )
    assert refused(stubs.model.HandleReloadConfigRequest, request) == ("FAILED_PRECONDITION", unavailable)
    del request.config.model_config_list.config[1]
    first.version_labels.clear()
    stubs.model.HandleReloadConfigRequest(request, timeout=60)
    gone = refused(stubs.prediction.Predict, stubs.predict(name="again", text=["abc"]))
    assert gone == ("NOT_FOUND", "Servable not found for request: Latest(again)")
