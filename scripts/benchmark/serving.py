"""What `textseq serve` costs: time from a text to its label, and requests, errors and memory under load."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
from local_server import LocalServer, ServerError, serving

from benchmark.clients import ask_for
from benchmark.commands import run
from benchmark.exports import exported_classifier
from benchmark.figures import Figure, Figures
from benchmark.interleaving import Absent
from benchmark.machine import megabytes_held
from benchmark.processes import environment
from benchmark.sentences import sentences

CLIENTS = 32
_SECONDS, _QUICK_SECONDS = 120.0, 10.0
_WARM_UP = 0.2  # of the time, before it


def serve_latency(quick: bool) -> Figures:
    """Milliseconds from one string of twenty words to its label: the graph in process, REST and gRPC, kept alive."""
    with _server() as server, tempfile.TemporaryDirectory() as name:
        answer = Path(name) / "answer.json"
        (version,) = exported_classifier().glob("[0-9]*")
        requests = 500 if quick else 2_000
        command = [sys.executable, "-m", "benchmark.latency", json.dumps(asdict(server)), str(version)]
        run([*command, str(requests), str(answer)])
        seconds: dict[str, list[float]] = json.loads(answer.read_text())
    graph, rest = (float(np.median(seconds[way])) * 1e3 for way in ("graph", "REST"))
    figures = {}
    for way, times in seconds.items():
        figures[f"{way}, p50"] = Figure(float(np.median(times)) * 1e3, "ms", at_most=1.0 if way == "graph" else None)
        figures[f"{way}, p99"] = Figure(float(np.percentile(times, 99)) * 1e3, "ms")
    return {**figures, "REST, p50 beyond the graph's": Figure(rest - graph, "ms", at_most=1.5)}


def serve_throughput(quick: bool) -> Figures:
    """Requests a second of 32 clients that each wait for an answer before they ask again, and the server's memory."""
    duration, texts = _QUICK_SECONDS if quick else _SECONDS, sentences(CLIENTS)
    with _server() as server:
        asyncio.run(ask_for(_WARM_UP * duration, server, texts))
        before = megabytes_held(server.process_id)
        load = asyncio.run(ask_for(duration, server, texts))
        after = megabytes_held(server.process_id)
    if not load.seconds:
        raise Absent("no request was answered")
    return {
        "answers": Figure(len(load.seconds) / duration, "requests/s"),
        "errors": Figure(load.errors, "requests", at_most=0.0),
        "one request, p50": Figure(float(np.median(load.seconds)) * 1e3, "ms"),
        "one request, p99": Figure(float(np.percentile(load.seconds, 99)) * 1e3, "ms"),
        "the server's memory, at the beginning": Figure(before, "MB"),
        "the server's memory, at the end": Figure(after, "MB"),
        "growth of its memory": Figure(100 * (after / before - 1), "%", at_most=5.0),
    }


@contextmanager
def _server() -> Iterator[LocalServer]:
    try:
        with serving(exported_classifier(), environment()) as server:
            yield server
    except ServerError as error:
        raise Absent(str(error)) from error
