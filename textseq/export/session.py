"""Requests to an exported model in a clean process, by the loader that TensorFlow Serving uses."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from textseq.errors import RunFailedError, problem

_PROGRAM = Path(__file__).with_name("session_program.py")
# TensorFlow says "Graph execution error:" and, after an empty line, which.
_ERROR = re.compile(r"^[\w.]+(?:Error|Exception): (?:Graph execution error:\s+)?.*$", re.MULTILINE)
Answers = list[dict[str, np.ndarray]]


@dataclass
class Session:
    """Collects requests, then has them answered all at once.

    Attributes:
        folder: The SavedModel's.
        facts: After `run`: what the graph asks of a server.
    """

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    _plan: list[dict[str, Any]] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)

    def ask(self, signature: str, inputs: dict[str, Any]) -> int:
        """Adds a request and returns its number.

        Args:
            signature: Its name.
            inputs: Arrays, lists of bytes, or `(number, output)` for an output of an earlier request.
        """
        number = len(self._plan)
        sources: dict[str, Any] = {}
        for name, value in inputs.items():
            if isinstance(value, tuple):
                sources[name] = list(value)
                continue
            sources[name] = f"{number}-{name}"
            self._values[f"{number}-{name}"] = _sent(value)
        self._plan.append({"signature": signature, "inputs": sources})
        return number

    def run(self) -> Answers:
        """Returns the outputs of every request, by name; strings as bytes.

        Raises:
            RunFailedError: The model does not load, or a request fails.
        """
        with tempfile.TemporaryDirectory() as place:
            requests, answers = Path(place) / "requests.npz", Path(place) / "answers.npz"
            np.savez(requests, plan=np.array(json.dumps(self._plan)), **self._values)
            _call(self.folder, requests, answers)
            with np.load(answers) as found:
                self.facts = json.loads(str(found["facts"]))
                results: Answers = [{} for _ in self._plan]
                for key in found.files:
                    number, colon, name = key.partition(":")
                    if colon:
                        results[int(number)][name] = _received(found[key])
        return results


def _call(folder: Path, requests: Path, answers: Path) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-P", str(_PROGRAM), str(folder), str(requests), str(answers)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        said = " ".join([f"exit code {done.returncode}", *_ERROR.findall(done.stderr)][-1].split())[:500]
        wrong = f"cannot be loaded and asked as TensorFlow Serving does it ({said})"
        raise RunFailedError(problem("export", wrong, way_out="Nothing was published"))


def _sent(value: Any) -> np.ndarray:
    if isinstance(value, list) and all(isinstance(item, bytes) for item in value):
        return np.array([base64.b64encode(text) for text in value], "S")
    return np.asarray(value)


def _received(value: np.ndarray) -> np.ndarray:
    if value.dtype.kind != "S":
        return value
    texts = np.empty(value.shape, object)
    for place, text in np.ndenumerate(value):
        texts[place] = base64.b64decode(text)
    return texts
