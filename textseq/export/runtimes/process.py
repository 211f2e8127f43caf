"""Work in a clean process, without TensorFlow: a runtime's libraries and TensorFlow's do not always bear each other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from textseq.errors import RunFailedError, problem
from textseq.export.runtimes.formats import FORMATS

_PROGRAM = Path(__file__).with_name("program.py")
_ERROR = re.compile(
    r"^[\w.]*(?:Error|Exception|Fail|InvalidArgument|InvalidGraph|NotImplemented)\w*: .*$", re.MULTILINE
)


def call(name: str, action: str, asked: dict[str, Any]) -> Any:
    """Has the program do something and returns what it answers.

    Args:
        name: The format's.
        action: "convert", "answer" or "shrink".
        asked: What the action takes, JSON-serialisable.

    Raises:
        RunFailedError: It ends badly.
    """
    with tempfile.TemporaryDirectory() as place:
        request, reply = Path(place) / "request.json", Path(place) / "reply.json"
        request.write_text(json.dumps(asked), encoding="utf-8")
        command = [sys.executable, "-P", str(_PROGRAM), name, action, str(request), str(reply)]
        environment = {**os.environ, "OPENVINO_TELEMETRY": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            said = ([f"exit code {done.returncode}", *_ERROR.findall(done.stderr)])[-1][:500]
            title = FORMATS[name].title
            wrong = f"{title} cannot {_DEEDS[action]} ({said})"
            raise RunFailedError(
                problem(f"--format {name}", wrong, way_out=f"No {title} was published; the SavedModel is")
            )
        return json.loads(reply.read_text(encoding="utf-8"))


_DEEDS = {
    "convert": "convert the model",
    "answer": "load the model and answer",
    "shrink": "make its weights 8-bit integers",
}
