"""What a request can come to: the codes that gRPC and TF Serving share, and the error that carries one.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/model_servers/http_server.cc
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The canonical codes, numbered as gRPC, absl and TensorFlow number them."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


class ServingError(Exception):
    """A request, or the load of a version, that comes to nothing. Its text is TF Serving's, not the house's.

    Args:
        code: Why.
        message: What the client reads under `error`, or as the details of a gRPC status.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """Returns the code's name and the message, as TF Serving writes one status inside another."""
        return f"{self.code.name}: {self.message}"


def invalid(message: str) -> ServingError:
    """Returns the commonest error: the request is wrong."""
    return ServingError(Code.INVALID_ARGUMENT, message)
