"""What commands do before anything heavy is imported."""

from __future__ import annotations

import gc
import importlib
import json
import subprocess
import sys

import pytest

from textseq.cli.options import as_if_absent, begin
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


def test_what_no_command_uses_is_not_imported_at_the_start_and_can_be_later() -> None:
    program = (
        "import sys; from textseq.cli.options import begin; begin()\n"
        "print([name for name in ('jax', 'matplotlib', 'sklearn') if name in sys.modules])\n"
        "import sklearn, keras; print(sklearn.__name__, keras.backend.backend())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["[]", "sklearn tensorflow"]


def test_modules_are_absent_for_a_while_only_and_those_there_already_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with as_if_absent("colorsys", "json"):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json") is json
    assert importlib.import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_where_keras_is_there_already_nothing_is_kept_from_the_search() -> None:
    import keras  # noqa: F401

    before = gc.get_freeze_count()
    begin()
    assert gc.get_freeze_count() == before
