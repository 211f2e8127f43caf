"""Hub ids, read by the real `datasets` and `huggingface_hub` clients from a small server that speaks the Hub's routes.

Routes: https://huggingface.co/docs/hub/api and the requests that huggingface_hub makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlparse

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = [{"text": f"the {word} is {i}", "label": word} for i in range(20) for word in ("cat", "saw")]
FILES = {
    "README.md": b"---\nlicense: cc0-1.0\n---\n# Toy\n",
    "train.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "test.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS[:10]).encode(),
}


class Hub(BaseHTTPRequestHandler):
    """One dataset repository, `owner/toy`, at one commit."""

    asked: ClassVar[list[str]] = []
    revisions: ClassVar[tuple[str, ...]] = ("main", "v1", COMMIT)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(body=True, posted=self.rfile.read(length).decode())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def _answer(self, *, body: bool, posted: str = "") -> None:
        path = unquote(urlparse(self.path).path)
        self.asked.append(f"{self.command} {path}")
        if found := re.fullmatch(r"/datasets/owner/toy/resolve/([^/]+)/(.+)", path):
            self._file(found[1], found[2], body=body)
        elif found := re.fullmatch(r"/api/datasets/owner/toy(?:/revision/([^/]+))?", path):
            self._json(self._about(), found=(found[1] or "main") in self.revisions)
        elif found := re.fullmatch(r"/api/datasets/owner/toy/tree/([^/]+)(/.*)?", path):
            self._json([self._entry(name) for name in FILES], found=found[1] in self.revisions)
        elif found := re.fullmatch(r"/api/datasets/owner/toy/paths-info/([^/]+)", path):
            wanted = re.findall(r"paths=([^&]+)", posted) or json.loads(posted or "{}").get("paths", [])
            names = [unquote(name) for name in wanted]
            self._json([self._entry(name) for name in names if name in FILES], found=found[1] in self.revisions)
        else:
            self._json({"error": "Repository not found"}, found=False)

    def _about(self) -> dict[str, Any]:
        siblings = [{"rfilename": name} for name in FILES]
        return {"id": "owner/toy", "sha": COMMIT, "private": False, "gated": False, "tags": [], "siblings": siblings}

    def _entry(self, name: str) -> dict[str, Any]:
        return {"type": "file", "path": name, "size": len(FILES[name]), "oid": _etag(name)}

    def _json(self, value: Any, *, found: bool = True) -> None:
        content = json.dumps(value if found else {"error": "not found"}).encode()
        self.send_response(200 if found else 404)
        if not found:
            self.send_header("X-Error-Code", "RevisionNotFound" if "owner/toy" in self.path else "RepoNotFound")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _file(self, revision: str, name: str, *, body: bool) -> None:
        if revision not in self.revisions or name not in FILES:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if revision in self.revisions else "RevisionNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = FILES[name]
        begin, end = 0, len(content)
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            begin, end = int(found[1]), int(found[2] or len(content) - 1) + 1
        self.send_response(206 if self.headers.get("Range") else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{_etag(name)}"')
        self.send_header("Accept-Ranges", "bytes")
        if self.headers.get("Range"):
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        if body:
            self.wfile.write(content[begin:end])


def _etag(name: str) -> str:
    return hashlib.sha1(FILES[name], usedforsecurity=False).hexdigest()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that finds the server, with an empty cache."""
    Hub.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TEXTSEQ_"))}
    yield {
        **environment,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "no_proxy": "127.0.0.1",
    }
    server.shutdown()
    server.server_close()


def config(folder: Path, path: str, more: str = "") -> Path:
    file = folder / "toy.yaml"
    file.write_text(
        f"name: toy\ndata: {{path: {path}, label: label{more}}}\ntokenizer: {{name: words}}\n"
        "encoder: {name: lstm, units: 8}\ntask: {name: classification}\ntraining: {epochs: 1, batch_size: 8}\n"
    )
    return file


def textseq(*arguments: object, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "textseq", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id="the main branch", marks=pytest.mark.slow),
        pytest.param(", revision: v1", id="a revision"),
    ],
)
def test_a_hub_id_is_downloaded_and_trained_on(more: str, hub: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = textseq(
        "train", config(tmp_path, "owner/toy", more), "--run-dir", run, "--json", "--no-report", environment=hub
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["test"]["rows"] == 10
    assert any("resolve" in request and "train.jsonl" in request for request in Hub.asked)
    Hub.asked.clear()
    offline = {**hub, "HF_HUB_OFFLINE": "1"}
    again = textseq("evaluate", run, "--json", environment=offline)  # from the cache
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["rows"] == 10
    assert not Hub.asked


@pytest.mark.parametrize(
    ("path", "more"),
    [("owner/none", ""), ("owner/toy", ", revision: v9")],
    ids=["no such repository", "no such revision"],
)
def test_what_the_hub_does_not_have_is_one_sentence(path: str, more: str, hub: dict[str, str], tmp_path: Path) -> None:
    done = textseq("train", config(tmp_path, path, more), "--run-dir", tmp_path / "run", environment=hub)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: data.path: the Hub does not give it")
    assert f"Received: '{path}'" in last
    assert Hub.asked  # it was asked
    assert not (tmp_path / "run").exists()
