"""One server for all tests that only ask, and what starts servers of their own for the others."""

from __future__ import annotations

import http.client
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if any(importlib.util.find_spec(package) is None for package in ("grpc", "tensorflow_serving", "uvicorn")):
    collect_ignore_glob = ["test_*.py"]  # the extra serve is not installed
START_SECONDS = 120


@dataclass
class Served:
    """A server process and what it printed."""

    process: subprocess.Popen[str]
    name: str
    rest_port: int
    grpc_port: int

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Sends one request; bodies that are not text or bytes are sent as JSON. Returns status and body."""
        sent = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for key, value in headers.items():
                connection.putheader(key.replace("_", "-"), value)
            raw = sent.encode("utf-8", "surrogateescape") if isinstance(sent, str) else sent
            if raw is not None:
                connection.putheader("Content-Length", str(len(raw)))
            connection.endheaders(raw)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "surrogateescape")
        finally:
            connection.close()

    def predict(self, body: Any, where: str = "") -> tuple[int, Any]:
        status, text = self.ask("POST", f"/v1/models/{self.name}{where}:predict", body)
        return status, json.loads(text)

    def states(self) -> dict[int, str]:
        status, text = self.ask("GET", f"/v1/models/{self.name}")
        assert status == 200, text
        return {int(known["version"]): known["state"] for known in json.loads(text)["model_version_status"]}


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "textseq", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0", "--json"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # ends when the process does
        assert line, process.communicate(timeout=START_SECONDS)[1]
        said = json.loads(line)
        yield Served(process, said["name"], said["rest_port"], said["grpc_port"])
        assert process.poll() is None, process.communicate()[1]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def saved_models() -> ModuleType:
    """The module that writes SavedModels; it imports TensorFlow."""
    import saved_models

    return saved_models


@pytest.fixture(scope="session")
def exported(saved_models: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with version 1, which nobody changes."""
    folder = tmp_path_factory.mktemp("exports") / "lengths"
    folder.mkdir()
    saved_models.save(folder, 1)
    return folder


@pytest.fixture(scope="session")
def served(exported: Path) -> Iterator[Served]:
    """A server over `exported`."""
    with running(exported) as server:
        yield server


@pytest.fixture
def start() -> Callable[..., Any]:
    """What starts a server over a folder, as a context."""
    return running
