"""The page at `/`: a form for the signatures that take text."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import tensorflow as tf

from textseq.serving.models import Models
from textseq.serving.status import ServingError

ABOUT = Path("assets.extra") / "textseq.json"
_PLACE = "{{description}}"


def page(models: Models, name: str) -> bytes:
    """Returns the HTML, with what the newest version can be asked inside."""
    template = resources.files("textseq.serving").joinpath("page.html").read_text(encoding="utf-8")
    text = json.dumps(_description(models, name), ensure_ascii=True).replace("<", "\\u003c")
    return template.replace(_PLACE, text).encode()


def _description(models: Models, name: str) -> dict[str, Any]:
    """Returns name, version, what the export says of itself, and each signature's inputs."""
    try:
        with models.use(name) as loaded:
            signatures = {
                key: {
                    "inputs": {alias: _kind(info) for alias, info in sorted(signature.inputs.items())},
                    "outputs": sorted(signature.outputs),
                }
                for key, signature in sorted(loaded.servable.signatures.items())
            }
            about = _about(loaded.servable.folder / ABOUT)
            return {"name": name, "version": loaded.number, "about": about, "signatures": signatures}
    except ServingError:
        return {"name": name, "version": None, "about": {}, "signatures": {}}


def _kind(info: Any) -> dict[str, Any]:
    rank = None if info.tensor_shape.unknown_rank else len(info.tensor_shape.dim)
    return {"dtype": tf.as_dtype(info.dtype).name, "rank": rank}


def _about(path: Path) -> dict[str, Any]:
    """Returns what textseq wrote beside the model; nothing for a SavedModel of another origin."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    signatures = found.get("signatures")
    described = signatures.items() if isinstance(signatures, dict) else ()
    docs = {name: known.get("doc") for name, known in described if isinstance(known, dict)}
    return {"task": found.get("task"), "docs": docs}
