"""The models of a server by name, and the thread that looks after their folders."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from textseq.serving.status import Code, ServingError, invalid
from textseq.serving.versions import Loaded, ModelVersions, Version

POLL_SECONDS = 1.0


class Models:
    """Every model that is served.

    Args:
        models: The models at the start.
        report: Told one sentence of what goes wrong while nobody asks.
    """

    def __init__(self, *models: ModelVersions, report: Callable[[str], None] = lambda _: None) -> None:
        self.report = report
        self._models = {model.name: model for model in models}
        self._labels: dict[str, dict[str, int]] = {}
        self._polling = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)

    def start(self) -> None:
        """Begins to look at the folders once a second."""
        self._thread.start()

    def close(self) -> None:
        """Stops looking, and drops every version as soon as nothing runs on it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        for model in self._models.values():
            model.close()

    def poll(self) -> None:
        """Looks at every model's folder once."""
        with self._polling:
            for model in list(self._models.values()):
                model.poll()

    def named(self, name: str) -> ModelVersions | None:
        """Returns a model, or None where there is none of the name."""
        return self._models.get(name)

    @contextmanager
    def use(self, name: str, version: int | None = None, label: str = "") -> Iterator[Loaded]:
        """Yields a version that stays loaded until the block ends.

        Args:
            name: The model.
            version: The version; None means the newest, or the label's.
            label: A name for a version; empty for none.

        Raises:
            ServingError: No such model, version or label is served.
        """
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:
            version = self._labels.get(name, {}).get(label)
            if version is None:
                raise invalid(f"Unrecognized servable version label: {label}")
        model = self._models.get(name)
        if model is None:
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
        with model.use(version) as loaded:
            yield loaded

    def status(self, name: str, version: int | None = None) -> list[Version]:
        """Returns every version of a model that was ever seen, newest first, or just one of them.

        Raises:
            ServingError: There is none.
        """
        model = self._models.get(name)
        versions = model.states() if model else []
        if version is not None:
            versions = [known for known in versions if known.number == version]
        if not versions:
            what = "any versions" if version is None else f"version {version}"
            raise ServingError(Code.NOT_FOUND, f"Could not find {what} of model {name}")
        return versions

    def replace(self, models: Mapping[str, ModelVersions], labels: Mapping[str, Mapping[str, int]]) -> None:
        """Serves these models from now on; one that is served from the same folder already goes on as it is.

        Args:
            models: Every model by name.
            labels: Versions by label, by model.

        Raises:
            ServingError: A label names a version that is not available, or a model has no version that loads.
        """
        with self._polling:
            self._check(labels)
            kept, gone = dict(self._models), []
            for name in kept.keys() - models.keys():
                gone.append(kept.pop(name))
            for name, model in models.items():
                if name in kept and kept[name].base == model.base:
                    kept[name].policy = model.policy
                else:
                    gone.extend([kept[name]] if name in kept else [])
                    kept[name] = model
                kept[name].poll()
            self._models = kept
            self._labels = {name: dict(given) for name, given in labels.items()}
        for model in gone:
            model.close()
        for name in models:
            if kept[name].newest() is None:
                reasons = [str(version.error) for version in kept[name].states() if version.error]
                raise ServingError(
                    Code.UNKNOWN, f"1 servable(s) did not become available: {{{name}}} {' '.join(reasons)}".strip()
                )

    def _check(self, labels: Mapping[str, Mapping[str, int]]) -> None:
        for name, given in labels.items():
            for number in given.values():
                try:
                    with self.use(name, number):
                        pass
                except ServingError as error:
                    message = (
                        f"Request to assign label to version {number} of model {name}, which is not currently "
                        "available for inference"
                    )
                    raise ServingError(Code.FAILED_PRECONDITION, message) from error

    def _watch(self) -> None:
        said = ""
        while not self._ended.wait(POLL_SECONDS):
            try:
                self.poll()
            except Exception as error:  # whatever is wrong with a folder, the server goes on
                sentence = f"A look at the folders failed. {type(error).__name__}: {error}"
                if sentence != said:  # once, not once a second
                    self.report(sentence)
                said = sentence
