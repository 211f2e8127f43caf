"""The quickstart's server: what is said where it does not start, or answers otherwise than the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import quickstart
from local_server import ServerError, serving


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"did not start: .*holds no exported version"), serving(tmp_path):
        pytest.fail("there is nothing to serve")


def served(labels: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the quickstart's server give these labels."""

    @contextmanager
    def answering(folder: Path) -> Iterator[Any]:
        answers = [{"label": label} for label in labels]
        yield SimpleNamespace(name="x", rest_port=1, path="/", predict=lambda texts: answers)

    monkeypatch.setattr(quickstart, "serving", answering)


def test_the_quickstart_goes_on_with_the_labels_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    served(["early", "late"], monkeypatch)
    assert quickstart.ask_the_server([{"label": "early"}, {"label": "late"}]) == ["early", "late"]


def test_the_quickstart_stops_at_other_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    served(["early", "early"], monkeypatch)
    with pytest.raises(ServerError, match=r"says \['early', 'early'\] where .* says \['early', 'late'\]"):
        quickstart.ask_the_server([{"label": "early"}, {"label": "late"}])
