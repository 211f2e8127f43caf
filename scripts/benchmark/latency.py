"""A process of one client: asks one text of the graph in this process, over REST and over gRPC, in turn."""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from local_server import HOST, LocalServer
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from benchmark.interleaving import interleave
from benchmark.sentences import sentences
from textseq.serving.servable import DEFAULT_SIGNATURE, Servable, import_operations

Ask = Callable[[], str]
_TURN = 50  # requests of a turn


class Asker:
    """One way to get a label.

    Args:
        ask: Gets it.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def run(self, steps: int) -> list[float]:
        """Returns the seconds of each of so many requests."""
        seconds = []
        for _ in range(steps):
            began = time.perf_counter()
            self.ask()
            seconds.append(time.perf_counter() - began)
        return seconds


def graph(version: Path, text: str) -> Ask:
    """Returns what asks the graph, in the session that the server has too."""
    import_operations()
    servable = Servable(version)
    signature = servable.signatures[DEFAULT_SIGNATURE]
    feeds = [signature.inputs["text"].name]
    names = list(signature.outputs)
    fetches = [signature.outputs[name].name for name in names]
    place, texts = names.index("label"), np.array([text.encode()], object)
    return lambda: servable.run(feeds, fetches, [texts])[place][0].decode()


def rest(server: LocalServer, text: str) -> Ask:
    """Returns what asks over REST, on one connection."""
    connection = http.client.HTTPConnection(HOST, server.rest_port, timeout=60)

    def ask() -> str:
        connection.request("POST", server.path, json.dumps({"instances": [text]}))
        return str(json.loads(connection.getresponse().read())["predictions"][0]["label"])

    return ask


def remote_call(server: LocalServer, text: str) -> Ask:
    """Returns what asks over gRPC, on one channel."""
    stub = PredictionServiceStub(grpc.insecure_channel(f"{HOST}:{server.grpc_port}"))

    def ask() -> str:
        request = PredictRequest(model_spec={"name": server.name})
        request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
        return str(stub.Predict(request, timeout=60).outputs["label"].string_val[0].decode())

    return ask


def main(server: LocalServer, version: Path, requests: int, answer: Path) -> None:
    """Writes the seconds of each way's requests into a file.

    Raises:
        RuntimeError: The ways do not lead to one label.
    """
    (text,) = sentences(1)
    ways = {"graph": graph(version, text), "REST": rest(server, text), "gRPC": remote_call(server, text)}
    labels = {name: ask() for name, ask in ways.items()}
    if len(set(labels.values())) != 1:
        raise RuntimeError(f"the ways lead to different labels: {labels}")
    askers = {name: Asker(ask) for name, ask in ways.items()}
    interleave(askers, rounds=1, steps=_TURN)  # warms up
    seconds, _ = interleave(askers, rounds=-(-requests // _TURN), steps=_TURN, draw=random.Random(0))
    answer.write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(LocalServer(**json.loads(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
