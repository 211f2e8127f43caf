"""The client examples in the README, as they stand there, against a server."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[3] / "README.md"
SECTION = re.search(r"^## Serve\n(.*?)^## ", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def blocks(language: str, served: Any) -> list[str]:
    """Returns the section's blocks, turned to the server of the tests."""
    assert SECTION is not None
    found = re.findall(rf"```{language}\n(.*?)```", SECTION[1], re.DOTALL)
    ports = {"127.0.0.1:8501": f"127.0.0.1:{served.rest_port}", "127.0.0.1:8500": f"127.0.0.1:{served.grpc_port}"}
    turned = []
    for block in found:
        for ours, theirs in {**ports, "sst2": served.name}.items():
            block = block.replace(ours, theirs)
        turned.append(block)
    return turned


def test_python_clients_print_the_labels(served: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rest, grpc = blocks("python", served)
    assert len(rest.strip().splitlines()) <= 10
    assert len(grpc.strip().splitlines()) <= 10
    exec(compile(rest, "README.md", "exec"), {})
    first, _ = capsys.readouterr().out.splitlines()
    label, _, probabilities = first.partition(" ")
    assert label == "long"  # 22 letters; "a mess" has 6
    assert ast.literal_eval(probabilities) == {"short": pytest.approx(5 / 27), "long": pytest.approx(22 / 27)}
    exec(compile(grpc, "README.md", "exec"), {})
    assert ast.literal_eval(capsys.readouterr().out) == [b"long", b"long"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_curl_command_answers(served: Any) -> None:
    (block,) = blocks("bash", served)
    (command,) = [line for line in block.splitlines() if line.startswith("curl")]
    done = subprocess.run([*shlex.split(command), "--silent"], capture_output=True, check=True, timeout=60)
    (row,) = json.loads(done.stdout)["predictions"]
    assert row["label"] == "long"


def test_the_commands_are_those_that_there_are(exported: Path, served: Any) -> None:
    import click

    from textseq.cli.serve import serve

    (block,) = blocks("bash", served)
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("textseq serve")]
    assert len(commands) == 2
    for _, _, _, *options in commands:
        serve.make_context("serve", [str(exported), *options], resilient_parsing=False)
    with pytest.raises(click.NoSuchOption):
        serve.make_context("serve", [str(exported), "--nothing"])
