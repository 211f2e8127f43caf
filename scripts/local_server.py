"""`textseq serve` as a process of its own: started on free ports, asked over REST, stopped by a signal."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

HOST = "127.0.0.1"
_PATIENCE = 60.0  # seconds for an answer, and for the end


class ServerError(Exception):
    """The server did not start, did not answer, or did not end well; the message says which."""


@dataclass(frozen=True)
class LocalServer:
    """A server that listens.

    Attributes:
        name: The model's, in requests.
        rest_port: Of REST.
        grpc_port: Of gRPC.
        process_id: Of its process.
    """

    name: str
    rest_port: int
    grpc_port: int
    process_id: int

    @property
    def path(self) -> str:
        """Where predictions are asked for."""
        return f"/v1/models/{self.name}:predict"

    def predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the served model's answers, one a text.

        Raises:
            ServerError: It answered with an error.
        """
        connection = http.client.HTTPConnection(HOST, self.rest_port, timeout=_PATIENCE)
        try:
            connection.request("POST", self.path, json.dumps({"instances": list(texts)}))
            reply = connection.getresponse()
            body = reply.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if reply.status != 200:
            raise ServerError(f"textseq serve answered {reply.status}: {body}")
        return list(json.loads(body)["predictions"])


@contextmanager
def serving(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[LocalServer]:
    """Serves a folder of versions from when the server says that it listens until the end of the context.

    Args:
        folder: What `textseq export` wrote.
        environment: Of the process; this one's unless given.

    Raises:
        ServerError: It did not start, or did not end well.
    """
    command = [sys.executable, "-m", "textseq", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0", "--json"]
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            yield _started(process, errors)
            process.terminate()
            process.communicate(timeout=_PATIENCE)
        finally:
            process.kill()
            process.communicate()
        if process.returncode != 0:
            raise ServerError(f"textseq serve ended with {process.returncode}: {_last_line(errors)}")


def _started(process: subprocess.Popen[str], errors: IO[str]) -> LocalServer:
    """Waits for the line that says where it listens; it ends when the process does."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait()
        raise ServerError(f"textseq serve did not start: {_last_line(errors)}")
    said = json.loads(line)
    return LocalServer(said["name"], said["rest_port"], said["grpc_port"], process.pid)


def _last_line(errors: IO[str]) -> str:
    errors.seek(0)
    return "".join(errors.read().strip().splitlines()[-1:]) or "it said nothing"
