"""PyTorch, eager: its own layers and loss; bf16 is autocast."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle as endless
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmark.batches import CLASSES, make_batches
from benchmark.processes import CORES
from benchmark.queued import Queued
from benchmark.specification import Contender, Model

_RECURRENT = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that does one training step."""
    device = "cuda" if contender.device == "gpu" else "cpu"
    torch.set_num_threads(CORES)
    torch.set_float32_matmul_precision("high")  # on a GPU with shortened factors (tf32), as JAX does
    torch.manual_seed(0)
    labelled = model.task == "classification"
    made = (Classifier(model) if labelled else LanguageModel(model)).to(device)
    parameters = list(made.parameters())
    optimizer: Any = torch.optim.Adam(parameters, 1e-3) if labelled else torch.optim.SGD(parameters, model.rate)
    target = "labels" if labelled else "targets"
    batches = endless([(_tensor(batch["token_ids"]), _tensor(batch[target])) for batch in make_batches(model, cycle)])

    def step() -> None:
        token_ids, targets = (tensor.to(device, non_blocking=True) for tensor in next(batches))
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=contender.precision == "bfloat16"):
            logits = made(token_ids)
            loss = functional.cross_entropy(logits.flatten(0, -2), targets.flatten())
        loss.backward()
        if not labelled:
            nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()

    return Queued(step, torch.cuda.synchronize) if device == "cuda" else step


def _tensor(array: Any) -> Any:
    return torch.from_numpy(array).long()


class LanguageModel(nn.Module):
    """Embedding → causal encoder → softmax.

    Args:
        model: Sizes.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        width = model.embedding or model.units
        self.embedding = nn.Embedding(model.vocabulary, width)
        self.attends = model.encoder == "transformer"
        self.encoder: Any = (
            Transformer(model, model.time, causal=True)
            if self.attends
            else _RECURRENT[model.encoder](width, model.units, model.depth, batch_first=True)
        )
        self.head = nn.Linear(model.units, model.vocabulary)

    def forward(self, token_ids: Any) -> Any:
        """Returns the logits. `(batch, time, vocabulary)`."""
        embedded = self.embedding(token_ids)
        return self.head(self.encoder(embedded, None) if self.attends else self.encoder(embedded)[0])


class Classifier(nn.Module):
    """Embedding → encoder, in both directions unless causal → mean of the real steps → one logit a class.

    Args:
        model: Sizes.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        width = model.embedding or model.units
        self.embedding = nn.Embedding(model.vocabulary, width, padding_idx=0)
        self.attends, self.one_way = model.encoder == "transformer", model.causal
        units = model.units if self.one_way else model.units // 2
        self.encoder: Any = (
            Transformer(model, 512, causal=False)
            if self.attends
            else _RECURRENT[model.encoder](width, units, model.depth, batch_first=True, bidirectional=not self.one_way)
        )
        self.head = nn.Linear(model.units, CLASSES)

    def forward(self, token_ids: Any) -> Any:
        """Returns the logits. `(batch, classes)`."""
        mask = token_ids != 0
        lengths = mask.sum(1).clamp(min=1)
        embedded = self.embedding(token_ids)
        if self.attends:
            hidden = self.encoder(embedded, mask)
        elif self.one_way:  # what comes before padding does not know of it
            hidden, _ = self.encoder(embedded)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
            longest = token_ids.shape[1]
            hidden, _ = nn.utils.rnn.pad_packed_sequence(self.encoder(packed)[0], True, total_length=longest)
        return self.head((hidden * mask[..., None]).sum(1) / lengths[:, None])


class Transformer(nn.Module):
    """Pre-norm blocks with learned positions.

    Args:
        model: Sizes.
        longest: Places there are.
        causal: Whether a step sees no later one.
    """

    def __init__(self, model: Model, longest: int, *, causal: bool) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(longest, model.units))
        self.blocks = nn.ModuleList([Block(model.units, model.heads, causal) for _ in range(model.depth)])
        self.norm = nn.LayerNorm(model.units)

    def forward(self, hidden: Any, mask: Any) -> Any:
        """Returns `(batch, time, units)`; `mask` (batch, time) is True at real steps, None where all are."""
        hidden = hidden + self.positions[: hidden.shape[1]]
        for block in self.blocks:
            hidden = block(hidden, mask)
        return self.norm(hidden)


class Block(nn.Module):
    """Attention, then a feed-forward layer, each on normalised inputs and added to what came in.

    Args:
        units: Width.
        heads: Attention heads.
        causal: Whether a step sees no later one.
    """

    def __init__(self, units: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norms = nn.ModuleList([nn.LayerNorm(units) for _ in range(2)])
        self.projections = nn.Linear(units, 3 * units)
        self.output = nn.Linear(units, units)
        self.feed_forward = nn.Sequential(nn.Linear(units, 4 * units), nn.GELU(), nn.Linear(4 * units, units))

    def forward(self, inputs: Any, mask: Any) -> Any:
        """Returns `(batch, time, units)`."""
        batch, time, units = inputs.shape
        parts = self.projections(self.norms[0](inputs)).view(batch, time, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (batch, heads, time, width)
        places = torch.arange(time, device=inputs.device)
        seen = None if mask is None else mask[:, None, None, :] | (places[:, None] == places)
        attended = functional.scaled_dot_product_attention(query, key, value, seen, is_causal=self.causal)
        hidden = inputs + self.output(attended.transpose(1, 2).reshape(batch, time, units))
        return hidden + self.feed_forward(self.norms[1](hidden))
