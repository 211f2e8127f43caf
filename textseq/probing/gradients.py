"""How far back the gradient reaches through an encoder: ‖∂L/∂h_t‖ at each distance from the loss.

L is a random weighting of the last step's output, so that nothing but the encoder shapes what comes back. A state is
handed on from piece to piece of the sequence and its gradient handed back, as training over windows would if it did not
cut there; that takes nothing but the encoder contract.

Source: Bengio et al. 1994, https://doi.org/10.1109/72.279181.
"""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from textseq.differentiation import pullback
from textseq.errors import UsageError
from textseq.model import compiled
from textseq.probing.reach import Curve, Reach, averaged, pieces

_ROWS_OF_WHOLE_SEQUENCES = 4  # attention over 1,000 steps takes 4 MB a head and row, several times over
_SAME = 1e-5


def reach(label: str, encoder: Any, inputs: np.ndarray, weights: list[list[np.ndarray]], *, seed: int = 0) -> Reach:
    """Measures an encoder.

    Args:
        label: What tables call it.
        encoder: Built; its weights are set anew.
        inputs: `(batch, time, features)`
        weights: Values of the encoder's weights, one list for each initialisation, or what training made of them.
        seed: Of the weighting of the last output.
    """
    began = time.monotonic()
    upstream = np.random.default_rng(seed).standard_normal((len(inputs), encoder.units)).astype(np.float32)
    measure: Any = (_StateProbe if rewrites_its_state(encoder, inputs.shape[-1]) else _InputProbe)(encoder)
    found: list[dict[str, Curve]] = []
    for values in weights:
        encoder.set_weights(values)
        found.append(measure(inputs, upstream))
    shared = [name for name in found[0] if all(name in one for one in found)]
    curves = {name: averaged([one[name] for one in found]) for name in shared}
    return Reach(label, curves, time.monotonic() - began)


def rewrites_its_state(encoder: Any, features: int) -> bool:
    """Whether a step makes a new state of the old one, as a recurrence does; a cache adds to what it holds."""
    try:
        before = encoder.get_initial_state(1)
    except UsageError:
        return False
    if not all("float" in keras.backend.standardize_dtype(part.dtype) for part in tree.flatten(before)):
        return False
    steps = np.random.default_rng(0).standard_normal((1, 2, features)).astype(np.float32)
    _, middle = encoder(steps[:, :1], initial_state=before, return_state=True, training=False)
    _, after = encoder(steps[:, 1:], initial_state=middle, return_state=True, training=False)
    changed = [
        np.mean(ops.convert_to_numpy(old) != ops.convert_to_numpy(new))
        for old, new in zip(tree.flatten(middle), tree.flatten(after), strict=True)
    ]
    return bool(np.mean(changed) > 0.5)


class _StateProbe:
    """Hands the state on from piece to piece, then its gradient back.

    Args:
        encoder: Built.
    """

    def __init__(self, encoder: Any) -> None:
        def run(points: Any) -> Any:
            return encoder(points["inputs"], initial_state=points["state"], return_state=True, training=False)

        self._encoder = encoder
        self._forwards, self._backwards = compiled(encoder, run), pullback(encoder, run)

    def __call__(self, inputs: np.ndarray, upstream: np.ndarray) -> dict[str, Curve]:
        """Returns the curves; the state before the first step is left out, for nothing is remembered there."""
        lengths = pieces(inputs.shape[1])
        parts = np.split(inputs, np.cumsum(lengths)[:-1], axis=1)
        states, outputs = [self._encoder.get_initial_state(len(inputs))], None
        for part in parts:
            outputs, state = self._forwards({"inputs": part, "state": states[-1]})
            states.append(state)
        of_output = _parts_put_out(states[-1], outputs)
        norms = {"state": [_norm([upstream])], "output": [_norm([upstream])]}
        by_step: list[float] = []
        d_state = tree.map_structure(ops.zeros_like, states.pop())
        for part in reversed(parts):
            d_outputs = np.zeros((*part.shape[:2], upstream.shape[-1]), np.float32)
            if not by_step:  # the last piece, whose last output the loss reads
                d_outputs[:, -1] = upstream
            _, gradients = self._backwards({"inputs": part, "state": states.pop()}, (d_outputs, d_state))
            d_state = gradients["state"]
            arrays = [ops.convert_to_numpy(array) for array in tree.flatten(d_state)]
            norms["state"].append(_norm(arrays))
            norms["output"].append(_norm([arrays[number] for number in of_output]))
            by_step += _norms_by_step(ops.convert_to_numpy(gradients["inputs"]))[::-1]
        distances = np.cumsum([0, *lengths[:0:-1]])
        named = ("state", "output") if of_output else ("state",)
        curves = {name: Curve(distances, np.array(norms[name][:-1])) for name in named}
        return {**curves, "input": Curve(np.arange(len(by_step)), np.array(by_step))}


class _InputProbe:
    """Takes the gradient with respect to each step's input, in one go over the whole sequence.

    Args:
        encoder: Built.
    """

    def __init__(self, encoder: Any) -> None:
        self._backwards = pullback(encoder, lambda inputs: encoder(inputs, training=False)[:, -1])

    def __call__(self, inputs: np.ndarray, upstream: np.ndarray) -> dict[str, Curve]:
        """Returns the one curve that there is."""
        gradients = [
            ops.convert_to_numpy(self._backwards(inputs[begin:end], upstream[begin:end])[1])
            for begin in range(0, len(inputs), _ROWS_OF_WHOLE_SEQUENCES)
            for end in (begin + _ROWS_OF_WHOLE_SEQUENCES,)
        ]
        norms = np.array(_norms_by_step(np.concatenate(gradients))[::-1])
        return {"input": Curve(np.arange(len(norms)), norms)}


def _parts_put_out(state: Any, outputs: Any) -> list[int]:
    """Returns which parts of the state are h, what the encoder put out; none where it puts out something else."""
    last = ops.convert_to_numpy(outputs)[:, -1]
    parts = [ops.convert_to_numpy(part) for part in tree.flatten(state)]
    return [
        number
        for number, part in enumerate(parts)
        if part.shape == last.shape and np.allclose(part, last, rtol=_SAME, atol=_SAME)
    ]


def _norm(parts: list[np.ndarray]) -> float:
    """Returns the mean over rows of the norm over all parts."""
    squares = [(np.asarray(part, np.float64).reshape(len(part), -1) ** 2).sum(1) for part in parts]
    return float(np.sqrt(np.sum(squares, axis=0)).mean()) if squares else 0.0


def _norms_by_step(gradients: np.ndarray) -> list[float]:
    """Returns the mean norm of each step of `(batch, time, features)`."""
    norms: list[float] = np.sqrt((np.asarray(gradients, np.float64) ** 2).sum(-1)).mean(0).tolist()
    return norms
