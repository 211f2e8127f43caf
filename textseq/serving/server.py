"""Both servers of one process: HTTP in the event loop, gRPC in its threads, until a signal ends them."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from textseq.errors import RunFailedError, UsageError, problem
from textseq.serving import ports
from textseq.serving.application import LARGEST_BODY, Application
from textseq.serving.folders import versions_in
from textseq.serving.grpc_interface import grpc_server
from textseq.serving.models import Models
from textseq.serving.page import page
from textseq.serving.rest import RestInterface
from textseq.serving.servable import import_operations
from textseq.serving.versions import ModelVersions

GRACE_SECONDS = 30
HEAD_SECONDS = 20.0
_THREADS = min(32, 4 * (os.cpu_count() or 1))


def load_models(name: str, base: Path, report: Callable[[str], None]) -> Models:
    """Loads the newest version of a folder.

    Args:
        name: The model's name in requests.
        base: The folder of versions, or one version.
        report: Told one sentence of each load, unload and failure.

    Raises:
        UsageError: The folder holds no version.
        RunFailedError: The newest version does not load.
    """
    if not versions_in(base):
        way_out = "Name a folder that `textseq export` wrote: it holds 1/saved_model.pb"
        raise UsageError(problem(str(base), "holds no exported version", way_out=way_out))
    import_operations()
    model = ModelVersions(name, base.resolve(), report=report)
    models = Models(model, report=report)
    models.poll()
    if model.newest() is None:
        broken = [version for version in model.states() if version.error is not None]
        place = str(broken[0].folder) if broken else str(base)
        wrong = f"could not be loaded. {broken[0].error}" if broken else "could not be loaded"
        raise RunFailedError(problem(place, wrong, way_out="Export it again, or delete it to serve an older version"))
    return models


def serve(
    models: Models, name: str, *, rest: socket.socket, host: str, grpc_port: int, started: Callable[[int], None]
) -> None:
    """Serves until SIGINT or SIGTERM; then takes nothing new, finishes what runs and returns.

    Args:
        models: What is served.
        name: The model of the page.
        rest: A bound socket for HTTP.
        host: Where gRPC listens.
        grpc_port: Where gRPC listens; 0 means any port that is free.
        started: Called with gRPC's port as soon as both listen.

    Raises:
        UsageError: The port for gRPC is in use.
    """
    _allow_many_connections()
    grpc = grpc_server(models, threads=_THREADS, largest_message=LARGEST_BODY)
    try:
        grpc_port = grpc.add_insecure_port(ports.address(host, grpc_port))
    except RuntimeError as error:
        raise UsageError(problem("--grpc-port", "is in use", received=f"{host}:{grpc_port}")) from error
    application = Application(RestInterface(models), lambda: page(models, name), threads=_THREADS)
    grpc.start()
    models.start()
    server = _Server(_settings(application), lambda: started(grpc_port))
    try:
        asyncio.run(server.serve(sockets=[rest]))
    finally:
        grpc.stop(GRACE_SECONDS).wait()
        models.close()


def _settings(application: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=PatientProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class _Server(uvicorn.Server):
    """Says when it listens, and ends well on a signal instead of dying of it."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._say_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class PatientProtocol(H11Protocol):
    """Closes connections that send no whole request head for a while; half-open ones would stay for ever."""

    def connection_made(self, transport: Any) -> None:
        """Begins to watch the clock."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self.loop.call_later(HEAD_SECONDS, self._look)

    def on_response_complete(self) -> None:
        """Begins to watch it anew."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        idle = self.cycle is None or (self.cycle.response_complete and self.timeout_keep_alive_task is None)
        left = self._idle_since + HEAD_SECONDS - self.loop.time()
        if idle and left <= 0:
            self.transport.close()
        else:
            self.loop.call_later(max(left, 1.0), self._look)


def _allow_many_connections() -> None:
    """Raises the number of open files to what the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
