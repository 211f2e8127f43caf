"""Ports, taken before anything slow begins, so that one that is in use is known at once."""

from __future__ import annotations

import socket

from textseq.errors import UsageError, problem


def listening(host: str, port: int, option: str) -> socket.socket:
    """Returns a socket that is bound and does not listen yet.

    Args:
        host: A name or an address of this machine.
        port: 0 means any that is free.
        option: What the user wrote the port after.

    Raises:
        UsageError: The port is in use, is not allowed, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        way_out = "Choose another with --rest-port, --grpc-port or --host; port 0 is any that is free"
        wrong = f"cannot be listened on: {error.strerror or error}"
        raise UsageError(problem(option, wrong, received=f"{host}:{port}", way_out=way_out)) from error
    return bound


def number(bound: socket.socket) -> int:
    """Returns the port that a socket is bound to."""
    return int(bound.getsockname()[1])


def address(host: str, port: int) -> str:
    """Returns host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
