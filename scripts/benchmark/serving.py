"""What `textseq serve` costs: time from a text to its label, and requests, errors and memory under load."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from local_server import LocalServer, ServerError, serving

from benchmark.commands import run
from benchmark.exports import exported_classifier
from benchmark.figures import Figure, Figures
from benchmark.interleaving import Absent
from benchmark.machine import megabytes_held
from benchmark.processes import environment

WAYS = ("REST", "gRPC")
CLIENTS = 32
_SECONDS, _QUICK_SECONDS = 120.0, 10.0
_WARM_UP = 0.2  # of the time, before it
_GRAPH = "graph"


def serve_latency(quick: bool) -> Figures:
    """Milliseconds from one string of twenty words to its label: the graph in process, REST and gRPC, kept alive."""
    with _server() as server:
        (version,) = exported_classifier().glob("[0-9]*")
        seconds = _told("benchmark.latency", json.dumps(asdict(server)), str(version), str(500 if quick else 2_000))
    typical = {way: float(np.median(times)) * 1e3 for way, times in seconds.items()}
    figures = {}
    for way, times in seconds.items():
        figures[f"{way}, p50"] = Figure(typical[way], "ms", at_most=1.0 if way == _GRAPH else None)
        figures[f"{way}, p99"] = Figure(float(np.percentile(times, 99)) * 1e3, "ms")
    for way in WAYS:
        figures[f"{way}, p50 beyond the graph's"] = Figure(typical[way] - typical[_GRAPH], "ms", at_most=1.5)
    return figures


def serve_throughput(quick: bool) -> Figures:
    """Requests a second of 32 clients that each wait for an answer before they ask again, and the server's memory."""
    duration = _QUICK_SECONDS if quick else _SECONDS
    figures: Figures = {}
    with _server() as server:
        for way in WAYS:
            _under_load(server, way, _WARM_UP * duration)
            before = megabytes_held(server.process_id)
            load = _under_load(server, way, duration)
            after = megabytes_held(server.process_id)
            seconds = load["seconds"]
            if not seconds:
                raise Absent(f"no request over {way} was answered")
            figures |= {
                f"{way}, answers": Figure(len(seconds) / duration, "requests/s"),
                f"{way}, errors": Figure(load["errors"], "requests", at_most=0.0),
                f"{way}, one request, p50": Figure(float(np.median(seconds)) * 1e3, "ms"),
                f"{way}, one request, p99": Figure(float(np.percentile(seconds, 99)) * 1e3, "ms"),
                f"{way}, the server's memory at the beginning": Figure(before, "MB"),
                f"{way}, the server's memory at the end": Figure(after, "MB"),
                f"{way}, growth of its memory": Figure(100 * (after / before - 1), "%", at_most=5.0),
            }
    return figures


def _under_load(server: LocalServer, way: str, seconds: float) -> dict[str, Any]:
    return _told("benchmark.clients", json.dumps(asdict(server)), way, str(CLIENTS), str(seconds))


def _told(module: str, *arguments: str) -> dict[str, Any]:
    """Returns what a process writes into the file that is its last argument."""
    with tempfile.TemporaryDirectory() as name:
        answer = Path(name) / "answer.json"
        run([sys.executable, "-m", module, *arguments, str(answer)])
        return dict(json.loads(answer.read_text()))


@contextmanager
def _server() -> Iterator[LocalServer]:
    try:
        with serving(exported_classifier(), environment()) as server:
            yield server
    except ServerError as error:
        raise Absent(str(error)) from error
