"""What commands do before anything heavy is imported."""

from __future__ import annotations

import pytest

from textseq.cli.options import begin
from textseq.errors import UsageError


@pytest.mark.parametrize("backend", ["torch", "numpy", "no.such"])
def test_a_backend_that_layers_do_not_run_on_is_refused(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(UsageError, match=rf"^KERAS_BACKEND: is no backend of textseq\. Received: '{backend}'\. Take"):
        begin()
