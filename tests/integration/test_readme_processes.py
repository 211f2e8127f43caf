"""What the README says of many processes can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from textseq.cli.processes import Processes
from textseq.cli.train import train

README = Path(__file__).resolve().parents[2] / "README.md"
DISTRIBUTED = ("distributed", "coordinator", "processes", "process")


def blocks() -> list[tuple[str, str]]:
    section = README.read_text(encoding="utf-8").partition("\n## Many processes\n")[2].partition("\n## ")[0]
    return re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)


def commands() -> list[str]:
    """Returns the commands, each in one line, with 1 in the place of what a shell fills in."""
    found = []
    for language, text in blocks():
        joined = re.sub(r"\n +(?=--)", " ", text) if language == "yaml" else text
        for command in re.findall(r"textseq train [^\n&]*", joined):
            found.append(re.sub(r"\$\w+|\$\{#?\w+\[@\]\}", "1", command).replace("--processes 1 ", "--processes 4 "))
    return [command.strip().rstrip('"') for command in found]


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_readme_are_understood(command: str) -> None:
    with train.make_context("train", shlex.split(command)[2:]) as context:
        given = {name: context.params[name] for name in DISTRIBUTED}
    assert given["distributed"] is True
    assert Processes(**given).backend("jax") == "jax"
    assert (given["process"] is None) == command.startswith("textseq train configs") * ("shared" in command)


def test_there_is_a_command_for_each_way_to_start() -> None:
    text = "".join(text for _, text in blocks())
    assert all(word in text for word in ("srun textseq", "ssh ", "kind: Job\n", "kind: JobSet\n", "127.0.0.1"))
    assert len(commands()) == 6


def test_manifests_of_the_readme_are_yaml_that_starts_as_many_as_it_says() -> None:
    manifests = [part for kind, text in blocks() if kind == "yaml" for part in YAML(typ="safe").load_all(text)]
    assert [manifest["kind"] for manifest in manifests] == ["Service", "Job", "JobSet"]
    job, job_set = manifests[1]["spec"], manifests[2]["spec"]["replicatedJobs"][0]["template"]["spec"]
    for spec in (job, job_set):
        (container,) = spec["template"]["spec"]["containers"]
        assert f"--processes {spec['parallelism']} " in container["args"][0]
        assert spec["completions"] == spec["parallelism"]
    assert manifests[0]["spec"]["selector"]["job-name"] == manifests[1]["metadata"]["name"]
