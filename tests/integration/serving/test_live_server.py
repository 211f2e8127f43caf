"""One server through a day's work: a new version under load, a broken one, a step back, and a stop in mid-request."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

CLIENTS = 8
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.05  # between two questions after states, which keep the server from its work
WHICH = json.dumps({"signature_name": "which", "instances": ["a"]})


class Client(threading.Thread):
    """Asks which version answers, again and again on one connection, until told to stop."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        self.path = path
        self.answers: list[Any] = []
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            try:
                self.connection.request("POST", self.path, WHICH)
                response = self.connection.getresponse()
                body = json.loads(response.read())
                self.answers.append(body["predictions"][0] if response.status == 200 else (response.status, body))
            except (OSError, http.client.HTTPException) as error:
                self.answers.append(error)
                return


def wait_for(server: Any, expected: dict[int, str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.states() != expected:
        assert time.monotonic() < deadline, server.states()
        time.sleep(PAUSE_SECONDS)


def test_a_server_publishes_survives_falls_back_and_stops(
    start: Callable[..., Any], saved_models: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    saved_models.save(folder, 1)
    ready = saved_models.save(tmp_path, 2)
    with start(folder, "--name", "chosen") as server:
        assert server.name == "chosen"
        publish_under_load(server, ready, folder)
        break_and_fall_back(server, folder)
        stop_in_mid_request(server)
        server.process.poll = lambda: None  # it ended, and ended well


def publish_under_load(server: Any, ready: Path, folder: Path) -> None:
    clients = [Client(server.rest_port, f"/v1/models/{server.name}:predict") for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    ready.rename(folder / "2")
    wait_for(server, {1: "END", 2: "AVAILABLE"})
    seen = [len(client.answers) for client in clients]
    while any(
        client.is_alive() and len(client.answers) < count + 3 for client, count in zip(clients, seen, strict=True)
    ):
        server.states()
        time.sleep(PAUSE_SECONDS)
    for client in clients:
        client.enough.set()
        client.join()
    for client in clients:
        assert client.answers == sorted(client.answers)  # no failure, and never back to the old one
        assert set(client.answers) == {1.0, 2.0}


def break_and_fall_back(server: Any, folder: Path) -> None:
    (folder / "3").mkdir()
    wait_for(server, {1: "END", 2: "AVAILABLE", 3: "END"})
    _, text = server.ask("GET", f"/v1/models/{server.name}/versions/3")
    (known,) = json.loads(text)["model_version_status"]
    assert known["status"]["error_code"] == "NOT_FOUND"
    assert "Could not find SavedModel" in known["status"]["error_message"]
    assert server.predict(WHICH) == (200, {"predictions": [2.0]})
    shutil.rmtree(folder / "3")
    shutil.rmtree(folder / "2")
    wait_for(server, {1: "AVAILABLE", 2: "END", 3: "END"})
    assert server.predict(WHICH) == (200, {"predictions": [1.0]})


def stop_in_mid_request(server: Any) -> None:
    idle = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=PATIENCE_SECONDS)
    idle.connect()
    slow = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=PATIENCE_SECONDS)
    slow.request("POST", f"/v1/models/{server.name}:predict", '{"signature_name":"count","instances":[100000]}')
    server.states()  # answered after the slow request was taken in
    server.process.send_signal(signal.SIGTERM)
    response = slow.getresponse()
    assert (response.status, json.loads(response.read())) == (200, {"predictions": [100000]})
    _, errors = server.process.communicate(timeout=PATIENCE_SECONDS)
    assert server.process.returncode == 0
    assert errors.splitlines()[-1] == "Stopped."
    idle.close()
