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
from string import Template

from textseq.serving.folders import is_version, versions_in

BATCHING = Path("assets.extra") / "batching_parameters.txt"
KINDS = ("docker", "compose", "kubernetes")
_KUBERNETES = Template("""\
# The claim $label-versions has to hold what $source holds.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $label
spec:
  replicas: 2
  selector:
    matchLabels:
      app: $label
  template:
    metadata:
      labels:
        app: $label
    spec:
      containers:
        - name: serving
          image: $image
$command          env:
            - name: MODEL_NAME
              value: $name
          ports:
            - containerPort: 8501
            - containerPort: 8500
          readinessProbe:
            httpGet:
              path: $ready
              port: 8501
          volumeMounts:
            - name: versions
              mountPath: $target
              readOnly: true
      volumes:
        - name: versions
          persistentVolumeClaim:
            claimName: $label-versions
            readOnly: true
---
apiVersion: v1
kind: Service
metadata:
  name: $label
spec:
  selector:
    app: $label
  ports:
    - name: rest
      port: 8501
    - name: grpc
      port: 8500""")


@dataclass(frozen=True)
class Deployment:
    """One model for TF Serving.

    Attributes:
        name: The model's name in requests.
        source: The folder on this machine.
        target: The folder in the container.
        batching: Where the container sees the batching parameters; empty where the export has none.
    """

    name: str
    source: Path
    target: str
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
        words += ["--mount", f"type=bind,source={self.source},target={self.target},readonly"]
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
        source: {json.dumps(str(self.source))}
        target: {json.dumps(self.target)}
        read_only: true
    restart: unless-stopped"""

    def _kubernetes(self) -> str:
        command = "".join(f"\n            - {json.dumps(word)}" for word in self.arguments)
        return _KUBERNETES.substitute(
            label=_label(self.name),
            source=self.source,
            image=self.image,
            command=f"          args:{command}\n" if command else "",
            name=json.dumps(self.name),
            ready=json.dumps(f"/v1/models/{self.name}/metadata"),
            target=json.dumps(self.target),
        )


def deployment(name: str, base: Path) -> Deployment:
    """Returns the deployment of a folder of versions, or of a folder that is one version."""
    found = versions_in(base) or {}
    target = f"/models/{name}"
    if is_version(base):
        target += f"/{max(found)}"
    batching = ""
    if found and (found[max(found)] / BATCHING).is_file():
        inside = target if is_version(base) else f"{target}/{found[max(found)].name}"
        batching = f"{inside}/{BATCHING}"
    return Deployment(name, base.resolve(), target, batching)


def _label(name: str) -> str:
    """Returns the name in the letters that containers and Kubernetes take."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:52].strip("-")
    return label if label and label[0].isalpha() else f"model-{label}".rstrip("-")
