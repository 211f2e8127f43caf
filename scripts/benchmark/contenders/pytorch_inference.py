"""PyTorch, eager, asked without gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmark.batches import rows_of_one_length
from benchmark.contenders.pytorch import Classifier
from benchmark.processes import CORES
from benchmark.specification import Contender, Model


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that asks the model once."""
    torch.set_num_threads(CORES)
    torch.manual_seed(0)
    made = Classifier(model).eval()
    token_ids = torch.from_numpy(rows_of_one_length(model)).long()

    def step() -> None:
        with torch.inference_mode():
            made(token_ids).softmax(-1)

    return step
