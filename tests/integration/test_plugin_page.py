"""plugins/README.md, followed by a user who has nothing: every command and every snippet of it, in their order."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "plugins" / "README.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """An empty folder, and an environment whose pip installs into a folder of its own rather than into this Python."""
    folder = tmp_path_factory.mktemp("page")
    tools, site = folder / "tools", folder / "site"
    tools.mkdir()
    install = f'-m pip install -q --no-deps --no-build-isolation --target "{site}"'
    programs = {"textseq": "-m textseq", "pytest": "-m pytest", "python": ""}
    for name, arguments in programs.items():
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
    (tools / "pip").write_text(f'#!/bin/sh\n[ "$1" = install ] && shift\nexec "{sys.executable}" {install} "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    here = folder / "empty"
    here.mkdir()
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return here, {**os.environ, "PATH": path, "PYTHONPATH": str(site), "HF_HOME": str(folder / "cache")}


@pytest.fixture
def server(shell: tuple[Path, dict[str, str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """What was begun and has to be ended."""
    begun: list[subprocess.Popen[str]] = []
    yield begun
    for process in begun:
        process.terminate()
        process.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_page_has_what_a_user_needs() -> None:
    commands = "".join(text for kind, text in BLOCKS if kind == "bash")
    for verb in ("plugins new", "plugins check", "train", "evaluate", "export", "serve", "plugins show"):
        assert f"textseq {verb} " in commands
    assert {kind for kind, _ in BLOCKS} == {"bash", "python"}


def test_every_command_of_the_page_runs_and_the_model_answers(
    shell: tuple[Path, dict[str, str]], server: list[subprocess.Popen[str]]
) -> None:
    folder, environment = shell
    port, began, served = free_port(), time.monotonic(), 0.0
    for kind, text in BLOCKS:
        if text.startswith("textseq serve "):
            command = f"exec {text.strip()} --rest-port {port} --grpc-port 0"
            server.append(
                subprocess.Popen(command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
            )
            assert server[0].stdout is not None
            assert server[0].stdout.readline().startswith("Serving mine")
            continue
        command = ["python", "-c", text] if kind == "python" else ["bash", "-euc", text.replace(":8501", f":{port}")]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        if text.startswith("curl "):
            served = time.monotonic() - began
            assert [row["label"] for row in json.loads(done.stdout)["predictions"]] == ["positive", "negative"]
    assert served > 0  # the page asks what it serves
    sys.stderr.write(f"\nFrom nothing to a served answer: {served:.0f} s\n")
