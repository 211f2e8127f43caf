"""Everything wrong with a config, collected, so that a user sees it all at once and with the line it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from textseq.errors import ConfigError, problem

Path = tuple[str | int, ...]
NOT_GIVEN = object()


@dataclass(frozen=True)
class Place:
    """Where a setting is written.

    Attributes:
        source: A file, or a `--set` of the command line.
        line: Counted from 1; None where there are no lines.
    """

    source: str
    line: int | None = None

    def __str__(self) -> str:
        """Returns `file:line`, which editors and terminals make a link of."""
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass
class Problems:
    """Collects problems and raises them together.

    Attributes:
        source: The config's file, for problems of the whole.
        places: Where each setting is written, by its path.
    """

    source: str
    places: Mapping[Path, Place] = field(default_factory=dict)
    found: list[tuple[Place, str]] = field(default_factory=list)

    def add(self, path: Path, wrong: str, *, received: Any = NOT_GIVEN, way_out: str = "") -> None:
        """Notes what is wrong with the setting at `path`; a missing one is placed at the section it is missing from."""
        given = {} if received is NOT_GIVEN else {"received": received}
        self.add_at(self._place(path), problem(dotted(path) or "config", wrong, way_out=way_out, **given))

    def add_at(self, place: Place, sentence: str) -> None:
        """Notes a finished sentence about a place."""
        if (place, sentence) not in self.found:
            self.found.append((place, sentence))

    def raise_any(self) -> None:
        """Raises all that was found.

        Raises:
            ConfigError: There is at least one problem.
        """
        if not self.found:
            return
        ordered = sorted(
            self.found, key=lambda item: (item[0].source != self.source, item[0].source, item[0].line or 0)
        )
        lines = [f"{place}: {sentence}" for place, sentence in ordered]
        if len(lines) == 1:
            raise ConfigError(lines[0])
        raise ConfigError("\n".join([f"{self.source}: {len(lines)} problems.", *(f"  {line}" for line in lines)]))

    def _place(self, path: Path) -> Place:
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Place(self.source)


def dotted(path: Path) -> str:
    """Returns `("training", "callbacks", 0)` as `training.callbacks[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
