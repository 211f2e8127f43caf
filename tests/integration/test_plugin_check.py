"""`textseq plugins check` through the command line: what a person and what a machine reads of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main

LEAKY = '''
from keras import ops

from textseq.encoder import Encoder
from textseq.registry import encoders


@encoders.register("{name}")
class Leaky(Encoder):
    """Each token and the one after it, whether it may see it or not."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        if mask is not None:
            inputs = inputs * ops.cast(mask, inputs.dtype)[..., None]
        ahead = ops.concatenate([inputs[:, 1:], 0.0 * inputs[:, :1]], 1)
        return (inputs + ahead) @ ops.cast(self.kernel, inputs.dtype)
'''

WINDOWED = '''
from typing import Any

import keras
from keras import ops

from textseq.encoder import Encoder
from textseq.registry import encoders


@encoders.register("windowed")
class Windowed(Encoder):
    """Each token with its neighbours, by a layer that fails where a batch has no rows.

    Args:
        units: Width of the outputs.
        causal: Whether only the tokens before it count.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, *, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)
        sides = "causal" if causal else "same"
        self.convolution = keras.layers.Conv1D(units, 3, padding=sides, dtype=self.dtype_policy)

    def build(self, input_shape):
        self.convolution.build(input_shape)

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        if mask is not None:
            inputs = inputs * ops.cast(mask, inputs.dtype)[..., None]
        return self.convolution(inputs)
'''


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["plugins", "check", *arguments])
    captured = capsys.readouterr()
    assert ended.value.code == code, captured.err
    return captured.out


def test_a_fault_is_one_line_with_the_smallest_example(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "leaky.py"
    path.write_text(LEAKY.replace("{name}", "leaky_one"))
    lines = run(capsys, "--plugin", str(path), "--quick", code=1).splitlines()
    failed = [line for line in lines if line.startswith("✗")]
    assert len(failed) == 1
    assert failed[0].startswith(
        "✗ causal alone hides the future (causal=true): row 0, 2 tokens: token 1 changes output 0 by "
    )
    assert lines[lines.index(failed[0]) + 1].startswith("    → With causal pad convolutions at the left, ")
    assert lines[-1] == f"1 of {len(lines) - 2} checks fail."


def test_a_machine_reads_one_object(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "leaky.py"
    path.write_text(LEAKY.replace("{name}", "leaky_two"))
    found = json.loads(run(capsys, "leaky_two", "--plugin", str(path), "--json", code=1))
    assert (found["name"], found["kind"], found["file"], found["fine"]) == ("leaky_two", "encoder", str(path), False)
    (failed,) = [check for check in found["checks"] if not check["fine"]]
    assert (failed["check"], failed["causal"]) == ("causal alone hides the future", True)
    assert failed["way_out"].startswith("With causal ")
    assert found["cost"] is None  # of what is wrong nobody wants to know the price


def test_a_broken_plugin_fails_a_check_and_a_missing_one_is_wrong_use(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise ValueError('not today')\n")
    said = run(capsys, "--plugin", str(path), "--quick", code=1)
    assert "✗ it imports and registers something" in said
    assert "broken.py:1: ValueError: not today" in said
    run(capsys, "--plugin", str(tmp_path / "none.py"), code=2)
    run(capsys, "lsmt", code=2)
    run(capsys, code=2)


@pytest.mark.slow
def test_the_encoder_of_the_readme_keeps_the_contract(tmp_path: Path, capsys: Any) -> None:
    page = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    (source,) = [text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "@encoders.register" in text]
    path = tmp_path / "leaky.py"
    path.write_text(source)
    assert run(capsys, "--plugin", str(path), "--quick", code=0).splitlines()[-1].endswith("checks hold.")


@pytest.mark.slow
def test_cost_and_export_are_told_beside_lstm_and_transformer(capsys: Any) -> None:
    found = json.loads(run(capsys, "gru", "--units", "32", "--json", code=0))
    assert "an export answers as it does" in {check["check"] for check in found["checks"]}
    cost = found["cost"]
    assert list(cost["encoders"]) == ["gru", "lstm", "transformer"]
    # Two directions of 16 units, three gates: kernel 32 x 48, recurrent kernel 16 x 48, two biases of 48.
    assert cost["encoders"]["gru"]["parameters"] == 2 * (32 * 48 + 16 * 48 + 2 * 48)
    assert all(one["tokens_per_second"] > 0 and one["peak_bytes"] > 0 for one in cost["encoders"].values())
    assert cost["xla"] == {"fine": True, "why": None}
    assert cost["streams"] is True


@pytest.mark.slow
def test_an_export_that_fails_where_nobody_asks_about_a_text_is_a_fault(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "windowed.py"
    path.write_text(WINDOWED)
    found = json.loads(run(capsys, "--plugin", str(path), "--json", code=1))
    (failed,) = [check for check in found["checks"] if not check["fine"] and check["check"].startswith("an export")]
    assert "size-incompatible: In[0]: [0," in failed["fault"], failed
    assert "TimeConvolution" in failed["way_out"]
