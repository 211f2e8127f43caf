"""How the same folder is served in production: TF Serving by Docker, Compose and Kubernetes.

Source: https://www.tensorflow.org/tfx/serving/docker
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from textseq.serving.folders import is_version, versions_in

BATCHING = Path("assets.extra") / "batching_parameters.txt"
KINDS = ("docker", "compose", "kubernetes")


@dataclass(frozen=True)
class Deployment:
    """One model for TF Serving.

    Attributes:
        name: The model's name in requests.
        base: The folder of versions on this machine.
        batching: Where the container sees the batching parameters; empty where the export has none.
    """

    name: str
    base: Path
    batching: str = ""

    @property
    def image(self) -> str:
        """The release of TF Serving of the TensorFlow that is installed here."""
        major, minor = importlib.metadata.version("tensorflow").split(".")[:2]
        return f"tensorflow/serving:{major}.{minor}.0"

    @property
    def arguments(self) -> list[str]:
        """What the container's command gets."""
        return ["--enable_batching", f"--batching_parameters_file={self.batching}"] if self.batching else []

    def text(self, kind: str) -> str:
        """Returns a command or a file: one of `KINDS`."""
        return {"docker": self._docker, "compose": self._compose, "kubernetes": self._kubernetes}[kind]()

    def _docker(self) -> str:
        words = ["docker", "run", "--rm", "--name", _label(self.name), "-p", "8501:8501", "-p", "8500:8500"]
        words += ["--mount", f"type=bind,source={self.base},target=/models/{self.name},readonly"]
        words += ["-e", f"MODEL_NAME={self.name}", self.image, *self.arguments]
        return shlex.join(words)

    def _compose(self) -> str:
        command = "".join(f"\n      - {json.dumps(word)}" for word in self.arguments)
        command = f"    command:{command}\n" if command else ""
        return f"""\
services:
  {_label(self.name)}:
    image: {self.image}
    environment:
      MODEL_NAME: {json.dumps(self.name)}
{command}    ports:
      - "8501:8501"
      - "8500:8500"
    volumes:
      - type: bind
        source: {json.dumps(str(self.base))}
        target: {json.dumps(f"/models/{self.name}")}
        read_only: true
    restart: unless-stopped"""

    def _kubernetes(self) -> str:
        label = _label(self.name)
        command = "".join(f"\n            - {json.dumps(word)}" for word in self.arguments)
        command = f"          args:{command}\n" if command else ""
        return f"""\
# The claim {label}-versions has to hold the folders of {self.base}.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {label}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: {label}
  template:
    metadata:
      labels:
        app: {label}
    spec:
      containers:
        - name: serving
          image: {self.image}
{command}          env:
            - name: MODEL_NAME
              value: {json.dumps(self.name)}
          ports:
            - containerPort: 8501
            - containerPort: 8500
          readinessProbe:
            httpGet:
              path: {json.dumps(f"/v1/models/{self.name}/metadata")}
              port: 8501
          volumeMounts:
            - name: versions
              mountPath: {json.dumps(f"/models/{self.name}")}
              readOnly: true
      volumes:
        - name: versions
          persistentVolumeClaim:
            claimName: {label}-versions
            readOnly: true
---
apiVersion: v1
kind: Service
metadata:
  name: {label}
spec:
  selector:
    app: {label}
  ports:
    - name: rest
      port: 8501
    - name: grpc
      port: 8500"""


def deployment(name: str, base: Path) -> Deployment:
    """Returns the deployment of a folder of versions, or of the folder that a single version stands in."""
    found = versions_in(base) or {}
    newest = found[max(found)] if found else base
    batching = f"/models/{name}/{newest.name}/{BATCHING}" if (newest / BATCHING).is_file() else ""
    whole = base.resolve()
    return Deployment(name, whole.parent if is_version(base) else whole, batching)


def _label(name: str) -> str:
    """Returns the name in the letters that containers and Kubernetes take."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:52].strip("-")
    return label if label and label[0].isalpha() else f"model-{label}".rstrip("-")
