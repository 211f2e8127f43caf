"""What `textseq serve` refuses before anything slow begins, and what it says of production."""

from __future__ import annotations

import importlib.metadata
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

TAG = ".".join(importlib.metadata.version("tensorflow").split(".")[:2]) + ".0"


def serve(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "textseq", "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def test_a_folder_without_versions_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    refused = serve(str(tmp_path / "run"), code=2)
    assert "run: holds no exported version." in refused.stderr
    assert "textseq export" in refused.stderr
    assert "nowhere: holds no exported version." in serve(str(tmp_path / "nowhere"), code=2).stderr


def test_a_port_that_is_in_use_is_wrong_use(exported: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for option in ("--rest-port", "--grpc-port"):
            other = "--grpc-port" if option == "--rest-port" else "--rest-port"
            refused = serve(str(exported), option, port, other, "0", code=2)
            assert f"Error: {option}: cannot be listened on: Address already in use." in refused.stderr
    assert "--rest-port: cannot be listened on" in serve(str(exported), "--host", "no.such.host.invalid", code=2).stderr


def test_a_name_that_no_path_can_hold_is_wrong_use(exported: Path) -> None:
    assert "--name: must be a word without / and :." in serve(str(exported), "--name", "a/b", code=2).stderr


def test_docker_serves_the_folder_under_the_name(exported: Path) -> None:
    words = shlex.split(serve(str(exported), "--print-deployment", "docker").stdout)
    assert words[:3] == ["docker", "run", "--rm"]
    assert words[-1] == f"tensorflow/serving:{TAG}"
    assert f"type=bind,source={exported},target=/models/lengths,readonly" in words
    assert "MODEL_NAME=lengths" in words
    assert {"8501:8501", "8500:8500"} <= set(words)


def test_batching_is_switched_on_where_the_export_brings_its_parameters(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "My Model"
    shutil.copytree(exported, folder)
    (folder / "1" / "assets.extra").mkdir()
    (folder / "1" / "assets.extra" / "batching_parameters.txt").write_text("max_batch_size { value: 8 }\n")
    expected = [
        "--enable_batching",
        "--batching_parameters_file=/models/My Model/1/assets.extra/batching_parameters.txt",
    ]
    assert shlex.split(serve(str(folder), "--print-deployment", "docker").stdout)[-2:] == expected
    (service,) = compose(str(folder))["services"].values()
    assert service["command"] == expected
    (container,) = kubernetes(str(folder))[0]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == expected


def compose(*arguments: str) -> Any:
    return YAML(typ="safe").load(serve(*arguments, "--print-deployment", "compose").stdout)


def kubernetes(*arguments: str) -> list[Any]:
    return list(YAML(typ="safe").load_all(serve(*arguments, "--print-deployment", "kubernetes").stdout))


def test_compose_and_kubernetes_files_name_image_ports_and_folder(exported: Path) -> None:
    service = compose(str(exported))["services"]["lengths"]
    assert service["image"] == f"tensorflow/serving:{TAG}"
    assert service["volumes"] == [
        {"type": "bind", "source": str(exported), "target": "/models/lengths", "read_only": True}
    ]
    assert service["environment"] == {"MODEL_NAME": "lengths"}
    assert "command" not in service
    deployment, address = kubernetes(str(exported), "--name", "Chosen_Name")
    assert (deployment["kind"], address["kind"]) == ("Deployment", "Service")
    assert deployment["metadata"]["name"] == "chosen-name"  # Kubernetes takes no capitals and no underscores
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == service["image"]
    assert container["env"] == [{"name": "MODEL_NAME", "value": "Chosen_Name"}]
    assert container["volumeMounts"][0]["mountPath"] == "/models/Chosen_Name"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == address["spec"]["selector"]
    assert [port["port"] for port in address["spec"]["ports"]] == [8501, 8500]


@pytest.mark.parametrize(("number", "target"), [("1", "/models/lengths/1"), ("7", "/models/lengths/7")])
def test_a_single_version_is_mounted_as_one(exported: Path, tmp_path: Path, number: str, target: str) -> None:
    folder = tmp_path / "lengths" / number
    shutil.copytree(exported / "1", folder)
    assert f"source={folder},target={target}," in serve(str(folder), "--print-deployment", "docker").stdout


def test_serving_needs_neither_runs_nor_plugins_nor_keras() -> None:
    package = Path(__file__).parents[3] / "textseq" / "serving"
    sources = {path.name: path.read_text() for path in package.glob("*.py")}
    assert len(sources) > 10
    for name, text in sources.items():
        for line in text.splitlines():
            imported = line.strip().startswith(("import ", "from "))
            assert not (imported and any(word in line for word in ("keras", "rundir", "registry", "plugins"))), name
