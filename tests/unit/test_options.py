"""What commands do before anything heavy is imported."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from textseq.cli.options import begin
from textseq.errors import UsageError


@pytest.mark.parametrize("backend", ["torch", "numpy", "no.such"])
def test_a_backend_that_layers_do_not_run_on_is_refused(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(UsageError, match=rf"^KERAS_BACKEND: is no backend of textseq\. Received: '{backend}'\. Take"):
        begin()


def test_what_is_imported_is_never_searched_for_garbage_and_what_comes_after_it_is() -> None:
    program = "import gc; from textseq.cli.options import begin; begin(); print(gc.get_freeze_count(), gc.isenabled())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    count, enabled = said.split()
    assert int(count) > 100_000  # TensorFlow's and Keras's objects
    assert enabled == "True"


def test_where_keras_is_there_already_nothing_is_kept_from_the_search() -> None:
    import keras  # noqa: F401

    before = gc.get_freeze_count()
    begin()
    assert gc.get_freeze_count() == before
