"""The versions of one model: loading the new before the old goes, and letting each finish what it began.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/core/availability_preserving_policy.h
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from textseq.serving.folders import NEWEST, Policy, fingerprint, versions_in
from textseq.serving.servable import Servable
from textseq.serving.status import Code, ServingError
from textseq.serving.warmup import warm_up


class State(IntEnum):
    """Where a version stands, numbered as in `ModelVersionStatus`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class Version:
    """One version; its fields change under the lock of its model.

    Attributes:
        number: The version.
        folder: Where it is or was.
        state: Where it stands.
        error: Why it could not be loaded, if it could not.
        servable: The loaded model while it is loaded.
        users: Requests that are running on it.
        files: What a broken version's folder held when it was tried.
    """

    number: int
    folder: Path
    state: State = State.START
    error: ServingError | None = None
    servable: Servable | None = None
    users: int = 0
    files: tuple[tuple[str, int, int], ...] = field(default=(), repr=False)


class Loaded(NamedTuple):
    """A version while it is in use: its number and the model."""

    number: int
    servable: Servable


def load(folder: Path) -> Servable:
    """Loads and warms up a version.

    Raises:
        ServingError: It does not load, or a warm-up request fails.
    """
    servable = Servable(folder)
    try:
        warm_up(servable)
    except BaseException:
        servable.close()
        raise
    return servable


class ModelVersions:
    """What is served of a folder of versions.

    `poll` is called by one thread at a time; all else by any.

    Args:
        name: The model's name in requests.
        base: The folder of versions.
        policy: Which of them to serve.
        report: Told one sentence of each load, unload and failure.
    """

    def __init__(
        self, name: str, base: Path, policy: Policy = NEWEST, *, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self.name = name
        self.base = base
        self.policy = policy
        self._report = report
        self._lock = threading.Lock()
        self._versions: dict[int, Version] = {}

    def states(self) -> list[Version]:
        """Returns every version that was ever seen, newest first."""
        with self._lock:
            return sorted(self._versions.values(), key=lambda version: -version.number)

    def newest(self) -> int | None:
        """Returns the newest version that is available, or None."""
        return max((version.number for version in self.states() if version.state is State.AVAILABLE), default=None)

    @contextmanager
    def use(self, number: int | None = None) -> Iterator[Loaded]:
        """Yields a version that stays loaded until the block ends: the one asked for, or the newest.

        Raises:
            ServingError: There is no such version that is available.
        """
        with self._lock:
            version, servable = self._available(number)
            version.users += 1
        try:
            yield Loaded(version.number, servable)
        finally:
            with self._lock:
                version.users -= 1
                ended = version.state is State.UNLOADING and not version.users
            if ended:
                self._end(version)

    def poll(self) -> None:
        """Looks at the folder once: loads what should be served and is not, then drops what should not be."""
        found = versions_in(self.base)
        if found is None:
            return  # the folder is away for a moment; what is loaded stays
        wanted = self.policy.choose(found)
        for number in wanted:
            self._ensure(number, found[number])
        with self._lock:
            ready = any(self._versions[number].state is State.AVAILABLE for number in wanted)
            available = [version for version in self._versions.values() if version.state is State.AVAILABLE]
        for version in available:
            if version.number not in wanted and (ready or not wanted):
                self._retire(version)

    def close(self) -> None:
        """Drops every version as soon as nothing runs on it."""
        for version in self.states():
            if version.state is State.AVAILABLE:
                self._retire(version)

    def _available(self, number: int | None) -> tuple[Version, Servable]:
        found = (self._versions[key] for key in sorted(self._versions, reverse=True) if number in (None, key))
        for version in found:
            if version.state is State.AVAILABLE and version.servable is not None:
                return version, version.servable
        asked = f"Latest({self.name})" if number is None else f"Specific({self.name}, {number})"
        raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")

    def _ensure(self, number: int, folder: Path) -> None:
        """Loads a version that is new, was dropped, or was broken and has changed since."""
        known = self._versions.get(number)
        if known is not None:
            if known.state is not State.END:
                return
            if known.error is not None and known.files == fingerprint(folder):
                return
        version = Version(number, folder, State.LOADING, files=fingerprint(folder))
        with self._lock:
            self._versions[number] = version
        try:
            servable = load(folder)
        except ServingError as error:
            with self._lock:
                version.state, version.error = State.END, error
            self._report(f"Version {number} of {self.name} could not be loaded. {error}")
            return
        with self._lock:
            version.servable, version.state = servable, State.AVAILABLE
        self._report(f"Version {number} of {self.name} is loaded.")

    def _retire(self, version: Version) -> None:
        with self._lock:
            version.state = State.UNLOADING
            idle = not version.users
        if idle:
            self._end(version)

    def _end(self, version: Version) -> None:
        with self._lock:
            servable, version.servable, version.state = version.servable, None, State.END
        if servable is not None:
            servable.close()
            self._report(f"Version {version.number} of {self.name} is unloaded.")
